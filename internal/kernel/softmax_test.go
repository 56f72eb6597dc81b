package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestSoftmax(t *testing.T) { eachISA(t, testSoftmax) }

func testSoftmax(t *testing.T) {
	shapes := []struct{ outer, n, inner int }{
		{1, 1, 1}, {300, 130, 1}, {3, 10, 200}, {40, 7, 64}, {1, 20000, 1}, {2, 3000, 3}, {5, 1, 9},
	}
	for _, n := range lengths[1:] {
		shapes = append(shapes, struct{ outer, n, inner int }{3, n, 1}, struct{ outer, n, inner int }{2, 3, n})
	}
	for _, s := range shapes {
		size := s.outer * s.n * s.inner
		x, g := noise(1, size), noise(2, size)
		y, logs := make([]float64, size), make([]float64, size)
		dx, dlogs := make([]float64, size), make([]float64, size)
		for o := range s.outer {
			for i := range s.inner {
				at := func(k int) int { return (o*s.n+k)*s.inner + i }
				sum := 0.0
				for k := range s.n {
					sum += math.Exp(float64(x[at(k)]))
				}
				gy, gs := 0.0, 0.0
				for k := range s.n {
					logs[at(k)] = float64(x[at(k)]) - math.Log(sum)
					y[at(k)] = math.Exp(logs[at(k)])
					gy += float64(g[at(k)]) * y[at(k)]
					gs += float64(g[at(k)])
				}
				for k := range s.n {
					dx[at(k)] = y[at(k)] * (float64(g[at(k)]) - gy)
					dlogs[at(k)] = float64(g[at(k)]) - y[at(k)]*gs
				}
			}
		}
		for _, c := range []struct {
			log   bool
			y, dx []float64
		}{{false, y, dx}, {true, logs, dlogs}} {
			name := fmt.Sprint(s, c.log)
			got, check := guarded(t, size, 1)
			Softmax(got, x, s.outer, s.n, s.inner, c.log)
			check(name)
			compare(t, name, got, c.y, 1e-6)
			dgot, check := guarded(t, size, 2)
			SoftmaxGrad(dgot, got, g, s.outer, s.n, s.inner, c.log)
			check(name + ": gradient")
			compare(t, name+": gradient", dgot, c.dx, 1e-5)
			sameBits(t, name, func() []float32 {
				out := dirty(size)
				Softmax(out, x, s.outer, s.n, s.inner, c.log)
				SoftmaxGrad(out, out, g, s.outer, s.n, s.inner, c.log)
				return out
			})
		}
	}
}

// TestSoftmaxExtremes has rows that are far from 0, masked with -Inf, or broken.
func TestSoftmaxExtremes(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachISA(t, func(t *testing.T) {
		for _, n := range []int{3, 17, 40} {
			for what, c := range map[string]struct{ first, rest, want, wantRest float32 }{
				"far up":       {1e4, 1e4 - 200, 1, 0},
				"far down":     {-1e4, -2e4, 1, 0},
				"masked":       {0, -inf, 1, 0},
				"masked away":  {-inf, -inf, nan, nan},
				"infinite":     {inf, 0, nan, nan},
				"not a number": {nan, 0, nan, nan},
			} {
				x, y := make([]float32, n), make([]float32, n)
				fill(x, c.rest)
				x[0] = c.first
				Softmax(y, x, 1, n, 1, false)
				if !same(y[0], c.want) || !same(y[n-1], c.wantRest) {
					t.Errorf("%s, %d elements: got %v and %v, want %v and %v", what, n, y[0], y[n-1], c.want, c.wantRest)
				}
				// The same as a column.
				column, z := make([]float32, 2*n), make([]float32, 2*n)
				for i, v := range x {
					column[2*i], column[2*i+1] = v, 1
				}
				Softmax(z, column, 1, n, 2, false)
				for i := range y {
					if !same(z[2*i], y[i]) {
						t.Errorf("%s, %d elements: got %v in a column, want %v as in a row", what, n, z[2*i], y[i])
					}
				}
			}
		}
	})
}

func BenchmarkSoftmax(b *testing.B) {
	for _, s := range [][2]int{{64, 10}, {4096, 128}, {1024, 1000}} {
		rows, n := s[0], s[1]
		x, out, g := noise(1, rows*n), make([]float32, rows*n), noise(2, rows*n)
		labels := make([]int64, rows)
		for _, c := range []struct {
			name string
			f    func()
		}{
			{"softmax", func() { Softmax(out, x, rows, n, 1, false) }},
			{"log", func() { Softmax(out, x, rows, n, 1, true) }},
			{"grad", func() { SoftmaxGrad(out, x, g, rows, n, 1, false) }},
			{"entropy", func() { CrossEntropy(x, labels, rows, n) }},
			{"entropyGrad", func() { CrossEntropyGrad(out, x, labels, rows, n, 1) }},
		} {
			b.Run(fmt.Sprintf("%s/%dx%d", c.name, rows, n), func(b *testing.B) {
				benchISA(b, func(b *testing.B) {
					b.SetBytes(int64(8 * len(x)))
					for b.Loop() {
						c.f()
					}
				})
			})
		}
	}
}
