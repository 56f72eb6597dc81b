package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// noise is n numbers of both signs, the same at each call with the same seed.
func noise(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// compare reports the element that is furthest off, relative to scale.
func compare(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", what, len(got), len(want))
	}
	worst, at := 0.0, -1
	for i := range got {
		off := math.Abs(float64(got[i])-want[i]) / (1 + math.Abs(want[i]))
		if !(off <= worst) { // NaN is the worst
			worst, at = off, i
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: element %d: got %v, want %v", what, at, got[at], want[at])
	}
}

// naiveGemm is the definition.
func naiveGemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) []float64 {
	out := make([]float64, len(c))
	for i, v := range c {
		out[i] = float64(v)
	}
	for i := range m {
		for j := range n {
			sum := 0.0
			for p := range k {
				x, y := i*lda+p, p*ldb+j
				if transA {
					x = p*lda + i
				}
				if transB {
					y = j*ldb + p
				}
				sum += float64(a[x]) * float64(b[y])
			}
			old := 0.0
			if beta != 0 {
				old = float64(beta) * out[i*ldc+j]
			}
			out[i*ldc+j] = float64(alpha)*sum + old
		}
	}
	return out
}

// A product is what Gemm computes, with strides that leave gaps.
type testProduct struct {
	transA, transB bool
	m, n, k, gap   int
}

func (p testProduct) String() string {
	return fmt.Sprintf("%dx%dx%d, transposed %t %t, gap %d", p.m, p.n, p.k, p.transA, p.transB, p.gap)
}

// check compares Gemm with the definition, also outside of the result and with
// an epilogue; with beta 0, c holds NaN before.
func (p testProduct) check(t *testing.T, alpha, beta float32, then Epilogue) {
	t.Helper()
	ar, lda, br, ldb, ldc := p.m, p.k+p.gap, p.k, p.n+p.gap, p.n+p.gap
	if p.transA {
		ar, lda = p.k, p.m+p.gap
	}
	if p.transB {
		br, ldb = p.n, p.k+p.gap
	}
	a, b := noise(1, ar*lda), noise(2, br*ldb)
	a, b = fenced(t, a[:max(0, len(a)-p.gap)]), fenced(t, b[:max(0, len(b)-p.gap)])
	size := max(0, p.m*ldc-p.gap)
	c, check := guarded(t, size, p.k%5)
	copy(c, noise(3, size))
	want := naiveGemm(p.transA, p.transB, p.m, p.n, p.k, alpha, a, lda, b, ldb, beta, c, ldc)
	for i := range p.m {
		for j := range p.n {
			at := i*ldc + j
			want[at] = finish(&then, want[at], i, j, at)
			if beta == 0 {
				c[at] = float32(math.NaN())
			}
		}
	}
	GemmThen(p.transA, p.transB, p.m, p.n, p.k, alpha, a, lda, b, ldb, beta, c, ldc, then)
	what := fmt.Sprintf("%v, factors %v %v", p, alpha, beta)
	compare(t, what, c, want, 3e-6*(1+math.Sqrt(float64(p.k))))
	check(what)
}

// transposes calls f for all ways to transpose operands of the given sizes.
func transposes(sizes [][3]int, f func(p testProduct)) {
	for _, s := range sizes {
		for flags := range 4 {
			f(testProduct{flags&1 != 0, flags&2 != 0, s[0], s[1], s[2], s[2] % 4})
		}
	}
}

func TestGemm(t *testing.T) {
	sizes := [][3]int{
		{1, 1, 1}, {1, 1, 0}, {2, 4, 4}, {3, 5, 7}, {1, 33, 9}, {31, 1, 5}, {17, 13, 1},
		{5, 3, 255}, {4, 4, 257}, {65, 63, 33}, {129, 131, 3}, {10, 700, 20}, {300, 2, 600}, {64, 64, 300}, {0, 3, 2}, {3, 0, 2},
		{5, 31, 40}, {6, 32, 40}, {7, 33, 40}, {13, 15, 2}, {14, 16, 31}, {15, 17, 64},
		{1, 100, 1030}, {3, 50, 1100}, {100, 1, 1500}, // long sums along vectors
		{70, 65, 385}, {30, 40, 800}, {12, 30, 769}, // several steps
		{24, 512, 6}, {30, 1024, 5}, // rows of B that compete for sets
		{300, 33, 100}, {600, 20, 70}, {120, 100, 500}, // several blocks of A, several tasks
		{290, 300, 40}, {130, 330, 90}, {29, 290, 390}, // several groups of B
	}
	eachISA(t, func(t *testing.T) {
		transposes(sizes, func(p testProduct) {
			f := [][2]float32{{1, 0}, {0.5, 1}, {2, -0.25}}[(p.m+p.n)%3]
			p.check(t, f[0], f[1], Epilogue{})
		})
	})
}

func TestGemmThen(t *testing.T) {
	sizes := [][3]int{{3, 4, 5}, {20, 70, 3}, {5, 10, 400}, {13, 2, 390}, {7, 6, 0}}
	eachISA(t, func(t *testing.T) {
		transposes(sizes, func(p testProduct) {
			for _, then := range epilogues(p.m, p.n, p.n+p.gap) {
				p.check(t, 1, 0.5, then)
			}
		})
	})
}

func TestGemmPropagatesNaN(t *testing.T) {
	a, b, c := make([]float32, 6), make([]float32, 6), make([]float32, 4)
	a[0] = float32(math.NaN())
	Gemm(false, false, 2, 2, 3, 1, a, 3, b, 2, 0, c, 2)
	if c[0] == c[0] || c[1] == c[1] || c[2] != 0 || c[3] != 0 {
		t.Errorf("product with NaN in row 0: got %v, want NaN in row 0 only", c)
	}
}

func TestGemmBatch(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		testGemmBatch(t, 7, 5, 9)
		testGemmBatch(t, 20, 65, 30)
		testGemmBatch(t, 130, 130, 130)
		testGemmBatch(t, 3, 2, 0)
	})
}

func testGemmBatch(t *testing.T, m, n, k int) {
	const count, terms = 3, 2
	for flags := range 4 {
		transA, transB := flags&1 != 0, flags&2 != 0
		a, b := noise(1, 4*m*k), noise(2, 2*k*n)
		aOff := []int{0, m * k, m * k, 2 * m * k, 3 * m * k, 0}
		bOff := []int{0, k * n, 0, 0, k * n, k * n}
		lda, ldb := k, n
		if transA {
			lda = m
		}
		if transB {
			ldb = k
		}
		want := make([]float64, 0, count*m*n)
		for i := range count {
			sum := make([]float64, m*n)
			for j := i * terms; j < (i+1)*terms; j++ {
				for x, v := range naiveGemm(transA, transB, m, n, k, 0.5, a[aOff[j]:], lda, b[bOff[j]:], ldb, 0, make([]float32, m*n), n) {
					sum[x] += v
				}
			}
			want = append(want, sum...)
		}
		c := noise(3, count*m*n)
		gate := noise(4, count*m*n)
		for i := range gate {
			if i%3 == 0 {
				gate[i], want[i] = 0, 0
			}
		}
		GemmBatchThen(transA, transB, m, n, k, 0.5, a, aOff, b, bOff, c, Epilogue{Gate: gate})
		compare(t, fmt.Sprintf("batch of %dx%dx%d, transposed %t %t", m, n, k, transA, transB), c, want, 1e-5)
	}
}

func TestGemmArguments(t *testing.T) {
	bad := map[string]func(){
		"short a": func() {
			Gemm(false, false, 2, 2, 2, 1, make([]float32, 3), 2, make([]float32, 4), 2, 0, make([]float32, 4), 2)
		},
		"short b": func() {
			Gemm(false, true, 2, 2, 3, 1, make([]float32, 6), 3, make([]float32, 5), 3, 0, make([]float32, 4), 2)
		},
		"short c": func() {
			Gemm(false, false, 2, 2, 2, 1, make([]float32, 4), 2, make([]float32, 4), 2, 0, make([]float32, 3), 2)
		},
		"stride": func() {
			Gemm(true, false, 3, 1, 1, 1, make([]float32, 9), 2, make([]float32, 9), 1, 0, make([]float32, 9), 1)
		},
		"negative": func() { Gemm(false, false, -1, 1, 1, 1, nil, 1, nil, 1, 0, nil, 1) },
		"row bias": func() {
			x := make([]float32, 4)
			GemmThen(false, false, 2, 2, 2, 1, x, 2, x, 2, 0, make([]float32, 4), 2, Epilogue{Row: x[:1]})
		},
		"gate": func() {
			x := make([]float32, 4)
			GemmThen(false, false, 2, 2, 2, 1, x, 2, x, 2, 0, make([]float32, 4), 2, Epilogue{Gate: x[:3]})
		},
		"terms": func() {
			GemmBatch(false, false, 1, 1, 1, 1, make([]float32, 2), []int{0}, make([]float32, 2), []int{0}, make([]float32, 2))
		},
		"off the end": func() {
			GemmBatch(false, false, 1, 1, 1, 1, make([]float32, 2), []int{2}, make([]float32, 2), []int{0}, make([]float32, 1))
		},
	}
	for name, f := range bad {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: got no panic, want one", name)
				}
			}()
			f()
		}()
	}
}

// sameBits runs f, which fills a fresh result, with 1, 2 and 3 threads.
func sameBits(t *testing.T, what string, f func() []float32) {
	t.Helper()
	var want []float32
	withThreads(t, func(t *testing.T, threads int) {
		got := f()
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: results with 1 and %d threads differ", what, threads)
		}
	}, 1, 2, 3)
}

func TestGemmThreads(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, s := range [][3]int{{300, 300, 70}, {64, 1000, 100}, {1000, 20, 100}, {400, 5, 500}} {
			m, n, k := s[0], s[1], s[2]
			a, b, bias := noise(1, m*k), noise(2, n*k), noise(3, n)
			sameBits(t, fmt.Sprintf("Gemm of %v", s), func() []float32 {
				c := make([]float32, m*n)
				GemmThen(false, true, m, n, k, 1, a, k, b, k, 0, c, n, Epilogue{Col: bias})
				return c
			})
		}
		const count, m, n, k = 20, 70, 60, 50
		a, b := noise(1, count*m*k), noise(2, count*n*k)
		var aOff, bOff []int
		for i := range count {
			aOff, bOff = append(aOff, i*m*k), append(bOff, i*n*k)
		}
		sameBits(t, "GemmBatch", func() []float32 {
			c := make([]float32, count*m*n)
			GemmBatch(false, false, m, n, k, 1, a, aOff, b, bOff, c)
			return c
		})
	})
}

func TestGemmAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("allocations cannot be counted under the race detector")
	}
	eachISA(t, func(t *testing.T) {
		for _, n := range []int{5, 30, 200} {
			a, b, c := noise(1, n*n), noise(2, n*n), make([]float32, n*n)
			then := Epilogue{Row: a}
			for flags := range 4 {
				got := testing.AllocsPerRun(20, func() {
					GemmThen(flags&1 != 0, flags&2 != 0, n, n, n, 1, a, n, b, n, 0, c, n, then)
				})
				if got > 0 {
					t.Errorf("allocations per product of size %d: got %v, want 0", n, got)
				}
			}
		}
	})
}

func TestBias(t *testing.T) {
	const m, n = 5, 70
	x := noise(1, m*n)
	for _, s := range [][3]int{{0, 0, 1}, {0, 1, n}, {1, 0, m}, {n, 1, m * n}} {
		row, col := s[0], s[1]
		bias := noise(2, s[2])
		spread := make([]float32, m*n)
		SpreadMatrix(bias, m, n, row, col, 2, spread)
		wantSpread, wantFold := make([]float64, m*n), make([]float64, len(bias))
		for i := range m {
			for j := range n {
				wantSpread[i*n+j] = 2 * float64(bias[i*row+j*col])
				wantFold[i*row+j*col] += 3 * float64(x[i*n+j])
			}
		}
		compare(t, fmt.Sprintf("spread, strides %d %d", row, col), spread, wantSpread, 1e-6)
		FoldMatrix(x, m, n, row, col, 3, bias)
		compare(t, fmt.Sprintf("fold, strides %d %d", row, col), bias, wantFold, 1e-6)
	}
}

// report adds the speed of a benchmark whose every round does so many floating
// point operations.
func report(b *testing.B, operations int) {
	b.ReportMetric(float64(operations)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}
