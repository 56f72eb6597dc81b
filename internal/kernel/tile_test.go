package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// naiveTile is the definition, from element (0, 0) of C on.
func naiveTile(t *tile, dots bool) []float64 {
	out := make([]float64, len(t.c))
	for i, v := range t.c {
		out[i] = float64(v)
	}
	for x := t.i; x < t.i+t.rows; x++ {
		for y := range t.cols {
			sum := 0.0
			for p := range t.k {
				b := p*t.bRow + t.y + y
				if dots {
					b = (t.y+y)*t.bRow + p
				}
				sum += float64(t.a[x*t.aRow+p*t.aStep]) * float64(t.b[b])
			}
			at := x*t.cRow + t.j + y
			sum *= float64(t.alpha)
			if t.beta != 0 {
				sum += float64(t.beta) * out[at]
			}
			if t.last {
				sum = finish(&t.ep, sum, x, t.j+y, at)
			}
			out[at] = sum
		}
	}
	return out
}

// finish is the definition of an epilogue.
func finish(e *Epilogue, v float64, x, y, at int) float64 {
	if e.Row != nil {
		v += float64(e.Row[x])
	}
	if e.Col != nil {
		v += float64(e.Col[y])
	}
	if e.Add != nil {
		v += float64(e.Add[at])
	}
	if e.Clamp {
		v = min(max(v, float64(e.Lo)), float64(e.Hi))
	}
	if e.Gate != nil && e.Gate[at] == 0 {
		v = 0
	}
	return v
}

// epilogues are all combinations for c of m rows, n columns and the given stride.
func epilogues(m, n, stride int) []Epilogue {
	gate := noise(24, m*stride)
	for i := range gate {
		if i%3 == 0 {
			gate[i] = 0
		}
	}
	var list []Epilogue
	for flags := range 32 {
		var e Epilogue
		if flags&1 != 0 {
			e.Row = noise(21, m)
		}
		if flags&2 != 0 {
			e.Col = noise(22, n)
		}
		if flags&4 != 0 {
			e.Add = noise(23, m*stride)
		}
		if flags&8 != 0 {
			e.Clamp, e.Lo, e.Hi = true, 0, 1
		}
		if flags&16 != 0 {
			e.Gate = gate
		}
		list = append(list, e)
	}
	return list
}

func testTile(t *testing.T, dots bool, tl tile) {
	t.Helper()
	what := fmt.Sprintf("rows %d+%d, columns %d+%d, k %d, strides %d %d %d %d, factors %v %v",
		tl.i, tl.rows, tl.j, tl.cols, tl.k, tl.aRow, tl.aStep, tl.bRow, tl.cRow, tl.alpha, tl.beta)
	want := naiveTile(&tl, dots)
	tl.a, tl.b = fenced(t, tl.a), fenced(t, tl.b)
	c, check := guarded(t, len(tl.c), tl.k%7)
	copy(c, tl.c)
	tl.c = c
	if tl.beta == 0 {
		for x := range tl.rows {
			fill(c[(tl.i+x)*tl.cRow+tl.j:][:tl.cols], float32(math.NaN()))
		}
	}
	if dots {
		active.dots(&tl)
	} else {
		active.multiply(&tl)
	}
	compare(t, what, c, want, 1e-6*(3+math.Sqrt(float64(tl.k))))
	check(what)
}

func TestTile(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, dots := range []bool{false, true} {
			for _, s := range [][5]int{ // rows, columns, k, first row, first column
				{1, 1, 0, 0, 0}, {1, 1, 1, 0, 0}, {1, 257, 5, 0, 3}, {1, 300, 3, 1, 1}, {2, 140, 3, 0, 0},
				{3, 131, 4, 0, 0}, {4, 79, 7, 2, 5}, {4, 64, 2, 0, 0}, {5, 33, 9, 0, 0}, {6, 32, 17, 3, 0}, {7, 31, 16, 0, 1},
				{8, 17, 15, 0, 0}, {9, 16, 33, 0, 0}, {10, 15, 34, 0, 0}, {11, 8, 64, 0, 0}, {12, 9, 65, 0, 0},
				{13, 7, 2, 0, 0}, {14, 32, 31, 0, 0}, {15, 47, 3, 0, 0}, {16, 48, 3, 1, 2}, {27, 32, 3, 0, 0},
				{28, 5, 5, 0, 0}, {29, 23, 5, 0, 0}, {57, 30, 4, 0, 0}, {3, 3, 300, 0, 0},
			} {
				rows, cols, k, i, j := s[0], s[1], s[2], s[3], s[4]
				for _, transposed := range []bool{false, true} {
					if transposed && dots {
						continue
					}
					tl := tile{
						aRow: k + 3, aStep: 1, bRow: j + cols + 2, cRow: j + cols + 1, k: k,
						i: i, rows: rows, j: j, cols: cols, y: j / 2,
					}
					if transposed {
						tl.aRow, tl.aStep = 1, i+rows+2
					}
					tl.a = noise(1, max(0, (i+rows-1)*tl.aRow+(k-1)*tl.aStep+1))
					tl.b = noise(2, max(0, (k-1)*tl.bRow+tl.y+cols))
					if dots {
						tl.bRow = k + 1
						tl.b = noise(2, (tl.y+cols-1)*tl.bRow+k)
					}
					tl.c = noise(3, (i+rows)*tl.cRow-1)
					for _, f := range [][2]float32{{1, 0}, {1, 1}, {0.5, -2}} {
						tl.alpha, tl.beta = f[0], f[1]
						testTile(t, dots, tl)
					}
				}
			}
		}
	})
}

// A tile copies B as it reads it.
func TestTileCopies(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, cols := range []int{1, 7, 8, 9, 16, 17, 31, panelCols} {
			for _, k := range []int{1, 5, 40} {
				rows, stride := active.tall, cols+3
				panel, check := guarded(t, k*panelCols, 1)
				tl := tile{
					a: noise(1, rows*k), aRow: k, aStep: 1, b: noise(2, k*stride), bRow: stride, k: k,
					c: make([]float32, rows*cols), cRow: cols, alpha: 1, rows: rows, cols: cols, copy: panel,
				}
				testTile(t, false, tl)
				check("copied B")
				for p := range k {
					if got, want := panel[p*panelCols:][:cols], tl.b[p*stride:][:cols]; !slices.Equal(got, want) {
						t.Errorf("%d columns, %d terms: row %d: got %v, want %v", cols, k, p, got, want)
					}
				}
			}
		}
	})
}

func TestTileEpilogue(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, s := range [][3]int{{5, 19, 3}, {14, 32, 2}, {1, 37, 4}, {3, 4, 130}} {
			m, n, k := s[0], s[1], s[2]
			stride := n + 3
			for _, e := range epilogues(m, n, stride) {
				for _, dots := range []bool{false, true} {
					tl := tile{
						a: noise(1, m*k), aRow: k, aStep: 1, b: noise(2, k*n), bRow: n, k: k,
						c: noise(3, m*stride), cRow: stride, alpha: 2, beta: 0.5,
						rows: m, cols: n, last: true, ep: e,
					}
					if dots {
						tl.bRow = k
					}
					testTile(t, dots, tl)
					tl.last = false
					testTile(t, dots, tl)
				}
			}
		}
	})
}

// What PyTorch's functions do as well: NaN survives a limit, -0 does not.
func TestTileClampsSpecials(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		nan := float32(math.NaN())
		negative := float32(math.Copysign(0, -1))
		tl := tile{
			a: []float32{1}, aRow: 1, aStep: 1, b: []float32{nan, negative, -1, float32(math.Inf(1)), float32(math.Inf(-1))}, bRow: 5, k: 1,
			c: make([]float32, 5), cRow: 5, alpha: 1, rows: 1, cols: 5,
			last: true, ep: Epilogue{Add: []float32{0, negative, 0, 0, 0}, Clamp: true, Lo: 0, Hi: 6},
		}
		active.multiply(&tl)
		for i, want := range []uint32{math.Float32bits(nan), 0, 0, math.Float32bits(6), 0} {
			if got := tl.c[i]; math.Float32bits(got) != want && !(i == 0 && got != got) {
				t.Errorf("limit of %v: got %v, want %v", tl.b[i], got, math.Float32frombits(want))
			}
		}
	})
}

// Where the gate is closed, even NaN becomes 0; a gate of NaN is open.
func TestTileGateSpecials(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		nan := float32(math.NaN())
		tl := tile{
			a: []float32{1}, aRow: 1, aStep: 1, b: []float32{nan, 2, 3}, bRow: 3, k: 1,
			c: make([]float32, 3), cRow: 3, alpha: 1, rows: 1, cols: 3,
			last: true, ep: Epilogue{Gate: []float32{0, nan, float32(math.Copysign(0, -1))}},
		}
		active.multiply(&tl)
		if tl.c[0] != 0 || tl.c[1] != 2 || tl.c[2] != 0 {
			t.Errorf("got %v, want [0 2 0]", tl.c)
		}
	})
}
