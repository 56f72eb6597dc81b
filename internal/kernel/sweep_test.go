package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// eachSweep runs a test for each instruction set with loops for sweeps.
func eachSweep(t *testing.T, f func(t *testing.T, l *sweepLoops)) {
	eachISA(t, func(t *testing.T) {
		if active.sweep.lanes == 0 {
			t.Skip("convolutions take plain loops")
		}
		f(t, &active.sweep)
	})
}

// Rows are moved to every length and alignment, and nothing else is touched.
func TestRowMovers(t *testing.T) {
	eachSweep(t, func(t *testing.T, l *sweepLoops) {
		const rows, pitch = 3, 80
		for n := range 70 {
			for offset := range 3 {
				src := fenced(t, noise(1, (rows-1)*2*pitch+max(0, 2*n-1)))
				odd := fenced(t, noise(2, (rows-1)*2*pitch+n/2))
				even := src[:min(len(src), (rows-1)*2*pitch+(n+1)/2)]
				for name, move := range map[string]func(dst *float32){
					"copyRows":   func(dst *float32) { l.copyRows(dst, 4*pitch, first(src), 8*pitch, rows, n) },
					"streamRows": func(dst *float32) { l.streamRows(dst, 4*pitch, first(src), 8*pitch, rows, n) },
					"pickRows":   func(dst *float32) { l.pickRows(dst, 4*pitch, first(src), 8*pitch, rows, n) },
					"joinRows":   func(dst *float32) { l.joinRows(dst, 4*pitch, first(even), first(odd), 8*pitch, rows, n) },
				} {
					got := dirty(rows*pitch + 2*offset)
					want := slices.Clone(got)
					for r := range rows {
						for i := range n {
							at := offset + r*pitch + i
							switch name {
							case "copyRows", "streamRows":
								want[at] = src[r*2*pitch+i]
							case "pickRows":
								want[at] = src[r*2*pitch+2*i]
							default:
								want[at] = [][]float32{even, odd}[i%2][r*2*pitch+i/2]
							}
						}
					}
					move(&got[offset])
					sameFloats(t, fmt.Sprintf("%s of %d elements to %d", name, n, offset), got, want)
				}
			}
		}
	})
}

// first is a pointer to the first element of x, if there is one.
func first(x []float32) *float32 {
	if len(x) == 0 {
		return nil
	}
	return &x[0]
}

// sameFloats wants the same bits.
func sameFloats(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d: got %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestFinishRows(t *testing.T) {
	eachSweep(t, func(t *testing.T, l *sweepLoops) {
		const rows, pitch, height = 3, 45, 200
		src, row := noise(1, rows*pitch), noise(2, rows)
		add, gate := noise(3, rows*height), noise(4, rows*height)
		src[0], src[pitch] = float32(math.NaN()), float32(math.Copysign(0, -1))
		for i := range gate {
			gate[i] = max(0, gate[i])
		}
		gate[2] = float32(math.NaN())
		for n := range pitch {
			for parts := range 16 {
				var ep Epilogue
				var p [3]*float32
				clamp := 0
				if parts&1 > 0 {
					ep.Row, p[0] = row, &row[0]
				}
				if parts&2 > 0 {
					ep.Add, p[1] = add, &add[0]
				}
				if parts&4 > 0 {
					ep.Gate, p[2] = gate, &gate[0]
				}
				if parts&8 > 0 {
					ep.Clamp, ep.Lo, ep.Hi, clamp = true, -0.25, 0.5, 1
				}
				got := dirty(rows * height)
				want := slices.Clone(got)
				for r := range rows {
					copy(want[r*height:][:n], src[r*pitch:])
					ep.apply(want[r*height:][:n], r, 0, r*height)
				}
				l.finishRows(&got[0], 4*height, &src[0], 4*pitch, rows, n, p[0], p[1], p[2], clamp, ep.Lo, ep.Hi)
				sameFloats(t, fmt.Sprintf("%d elements, parts %b", n, parts), got, want)
			}
		}
	})
}

func TestPackLanes(t *testing.T) {
	eachSweep(t, func(t *testing.T, l *sweepLoops) {
		random := rand.New(rand.NewPCG(1, 2))
		const k, gap = 4, 70
		for range 300 {
			from := random.IntN(l.lanes)
			to := from + 1 + random.IntN(l.lanes-from)
			var order [16]int32
			for i := from + 1; i < to; i++ {
				order[i] = min(order[i-1]+int32(random.IntN(4)), int32(2*l.lanes-1))
			}
			span := int(order[to-1]) + 1
			src := fenced(t, noise(1, (k-1)*gap+span))
			got := dirty(k * 2 * l.lanes)
			want := slices.Clone(got)
			var offsets []int32
			for p := range k {
				offsets = append(offsets, -1, int32(4*gap*p))
				for i := from; i < to; i++ {
					want[p*2*l.lanes+i] = src[p*gap+int(order[i])]
				}
			}
			l.pack(&got[0], 8*l.lanes, &src[0], &offsets[0], k, &order[0], span, from, to)
			sameFloats(t, fmt.Sprintf("lanes %d to %d, order %v", from, to, order), got, want)
		}
	})
}

func TestSweepTiles(t *testing.T) {
	eachSweep(t, func(t *testing.T, l *sweepLoops) {
		random := rand.New(rand.NewPCG(3, 4))
		for rows := 1; rows <= l.rows(); rows++ {
			for _, k := range []int{0, 1, 2, 37} {
				pitchA, pitchC := 50, l.cols()+3
				a, b := noise(1, rows*pitchA), noise(2, 400)
				var offsets []int32
				for range k {
					offsets = append(offsets, 4*random.Int32N(40), 4*random.Int32N(300))
				}
				for add := range 2 {
					got := noise(3, rows*pitchC)
					want := slices.Clone(got)
					for i := range rows {
						for j := range l.cols() {
							sum := float64(add) * float64(want[i*pitchC+j])
							for p := range k {
								sum += float64(a[i*pitchA+int(offsets[2*p]/4)]) * float64(b[int(offsets[2*p+1]/4)+j])
							}
							want[i*pitchC+j] = float32(sum)
						}
					}
					l.tile[rows-1](&a[0], 4*pitchA, firstOffset(offsets), k, &b[0], &got[0], 4*pitchC, add)
					for i := range got {
						if math.Abs(float64(got[i]-want[i])) > 1e-5 {
							t.Fatalf("%d rows, %d terms, add %d: element %d: got %v, want %v", rows, k, add, i, got[i], want[i])
						}
					}
				}
			}
		}
	})
}

func TestCorrelate(t *testing.T) {
	eachSweep(t, func(t *testing.T, l *sweepLoops) {
		random := rand.New(rand.NewPCG(7, 8))
		for inputs := 1; inputs <= len(l.correlate); inputs++ {
			for rows := 1; rows <= 4; rows++ {
				for _, n := range []int{1, 3, 8, 15, 16, 17, 40} {
					for add := range 2 {
						const frames, frameX, frameY, rowY, rowOut = 2, 300, 200, 45, 9
						x := fenced(t, noise(1, frameX+100+n))
						y := fenced(t, noise(2, frameY+(rows-1)*rowY+n))
						got := noise(3, 4*rowOut)
						want := slices.Clone(got)
						var offsets []int32
						for range inputs {
							offsets = append(offsets, -1, 4*random.Int32N(101))
						}
						offsets[2*inputs-1] = 400
						for j := range rows {
							for i := range inputs {
								sum := float64(add) * float64(got[j*rowOut+i])
								for f := range frames {
									for p := range n {
										sum += float64(x[f*frameX+int(offsets[2*i+1]/4)+p]) * float64(y[f*frameY+j*rowY+p])
									}
								}
								want[j*rowOut+i] = float32(sum)
							}
						}
						l.correlate[inputs-1](&x[0], &offsets[0], &y[0], 4*rowY, rows, frames, n, 4*frameX, 4*frameY, &got[0], 4*rowOut, add)
						for i := range got {
							if !(math.Abs(float64(got[i]-want[i])) <= 2e-5) {
								t.Fatalf("%d inputs, %d rows of %d, add %d: element %d: got %v, want %v", inputs, rows, n, add, i, got[i], want[i])
							}
						}
					}
				}
			}
		}
	})
}

func firstOffset(x []int32) *int32 {
	if len(x) == 0 {
		return nil
	}
	return &x[0]
}

// randomConv is a small convolution of any kind.
func randomConv(random *rand.Rand) *Conv {
	axes := 1 + random.IntN(3)
	var s slide
	for len(s.in) < axes {
		in, kernel := 1+random.IntN([]int{40, 20, 7}[axes-1]), 1+random.IntN(5)
		stride, dilation := 1+random.IntN(3), 1+random.IntN(2)
		begin, end := random.IntN(4), random.IntN(4)
		if in+begin+end < (kernel-1)*dilation+1 {
			continue
		}
		s.in, s.kernel, s.strides = append(s.in, in), append(s.kernel, kernel), append(s.strides, stride)
		s.dilations, s.begin, s.end = append(s.dilations, dilation), append(s.begin, begin), append(s.end, end)
	}
	groups := 1 + random.IntN(3)*random.IntN(2)
	return NewConv(1+random.IntN(4), groups*(1+random.IntN(9)), groups*(1+random.IntN(20)), groups, s.window())
}

// parts names those of an epilogue.
func parts(e Epilogue) string {
	return fmt.Sprintf("row %t, add %t, clamp %t, gate %t", e.Row != nil, e.Add != nil, e.Clamp, e.Gate != nil)
}

// Convolutions of all kinds, with epilogues, and with fences around what they
// read and write.
func TestConvShapes(t *testing.T) {
	eachSweep(t, func(t *testing.T, _ *sweepLoops) {
		random := rand.New(rand.NewPCG(5, 6))
		for i := 0; i < 400 && !t.Failed(); i++ {
			checkConv(t, randomConv(random), random, 1)
		}
		for i := 0; i < 400 && !t.Failed(); i++ {
			checkConv(t, randomStencil(random), random, 1)
		}
		for i := 0; i < 150 && !t.Failed(); i++ {
			checkConv(t, randomMixing(random), random, 1)
		}
		uneven := slide{[]int{13, 14}, []int{3, 3}, []int{1, 1}, []int{1, 1}, []int{0, 2}, []int{0, 2}}
		checkConv(t, NewConv(4, 43, 25, 1, uneven.window()), random, 1) // blocks of channels that are not alike
		for _, stride := range []int{1, 2} {                            // several strips
			checkConv(t, NewConv(1, 1, 1, 1, square(200, 3, stride, 1)), random, 1)
		}
	})
}

// randomStencil is a small convolution of each channel by itself.
func randomStencil(random *rand.Rand) *Conv {
	for {
		var s slide
		kernel, stride := 3+2*random.IntN(2), 1+random.IntN(2)
		for range 2 {
			s.in = append(s.in, 1+random.IntN(40))
			s.kernel, s.strides, s.dilations = append(s.kernel, kernel), append(s.strides, stride), append(s.dilations, 1)
			s.begin, s.end = append(s.begin, random.IntN(kernel+1)), append(s.end, random.IntN(kernel))
		}
		w := s.window()
		if channels := 1 + random.IntN(3); w.Out[1] > 0 && w.Out[2] > 0 {
			return NewConv(1+random.IntN(3), channels, channels, channels, w)
		}
	}
}

// randomMixing is a convolution with a kernel of one element, with more of
// everything than a task has, by chance.
func randomMixing(random *rand.Rand) *Conv {
	size := []int{4 + random.IntN(12), 8 + random.IntN(20)}
	one := []int{1, 1}
	channels := []int{1 + random.IntN(20), 1 + random.IntN(20)}
	if i := random.IntN(20); i < 2 {
		channels[i] += mixingDeep + random.IntN(mixingDeep)
	}
	w := slide{size, one, one, one, []int{0, 0}, []int{0, 0}}.window()
	return NewConv(1+random.IntN(5), channels[0], channels[1], 1, w)
}

// Results that go past the caches are the same.
func TestMixingStreamed(t *testing.T) {
	defer func(old int) { streamed = old }(streamed)
	eachSweep(t, func(t *testing.T, _ *sweepLoops) {
		results := func(most int) []float32 {
			streamed = most
			c := NewConv(2, 5, 7, 1, square(16, 1, 1, 0))
			x, w, _, dy := operands(c)
			y, dx := dirty(len(dy)), dirty(len(x))
			c.Forward(x, w, y, Epilogue{})
			c.BackwardData(dy, w, dx, Epilogue{})
			return slices.Concat(y, dx)
		}
		sameFloats(t, "convolution", results(0), results(1<<20))
	})
}

// checkConv compares all passes of a convolution with its definition. The error
// may be so many times that of a direct sum.
func checkConv(t *testing.T, c *Conv, random *rand.Rand, error float64) {
	t.Helper()
	x, w, b, dy := operands(c)
	spoilMemory()
	y, dx, dw := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(w))
	convTerms(c, func(iy, ix, iw int) {
		y[iy] += float64(x[ix]) * float64(w[iw])
		dx[ix] += float64(dy[iy]) * float64(w[iw])
		dw[iw] += float64(dy[iy]) * float64(x[ix])
	})
	ep := func(rows []float32, like []float64) (e Epilogue) {
		bits := random.IntN(16)
		if bits&1 > 0 {
			e.Row = rows
		}
		if bits&2 > 0 {
			e.Add = noise(6, len(like))
		}
		if bits&4 > 0 {
			e.Clamp, e.Lo, e.Hi = true, -0.5, 0.75
		}
		if bits&8 > 0 {
			e.Gate = noise(7, len(like))
			for i := range e.Gate {
				e.Gate[i] = max(0, e.Gate[i])
			}
		}
		size := len(like) / c.N / len(rows)
		for i := range like {
			v := []float32{float32(like[i])}
			e.apply(v, i/size%len(rows), 0, i)
			like[i] = float64(v[0])
		}
		return e
	}
	x, w, dy = fenced(t, x), fenced(t, w), fenced(t, dy)
	e := ep(b, y)
	got := fenced(t, dirty(len(y)))
	c.Forward(x, w, got, e)
	compare(t, fmt.Sprintf("%s: forward, %s", name(c), parts(e)), got, y, error*tolerance(c.weights()))
	e = ep(noise(8, c.C), dx)
	got = fenced(t, dirty(len(dx)))
	c.BackwardData(dy, w, got, e)
	compare(t, fmt.Sprintf("%s: gradient of the input, %s", name(c), parts(e)), got, dx, error*tolerance(c.M/c.Groups*c.taps()))
	got = fenced(t, dirty(len(dw)))
	c.BackwardWeights(x, dy, got, fenced(t, dirty(c.Scratch())))
	compare(t, name(c)+": gradient of the weights", got, dw, error*tolerance(c.N*c.outputs()))
}

// spoilMemory fills what tasks are about to work in with numbers of no use.
func spoilMemory() {
	for _, m := range []*memory{getMemory(1 << 16), getShared(1 << 16)} {
		fill(m.floats, 100)
		m.put()
	}
}
