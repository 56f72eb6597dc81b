package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestSoftmax(t *testing.T) {
	for _, s := range []struct{ outer, n, inner int }{
		{1, 1, 1}, {300, 130, 1}, {3, 10, 200}, {40, 7, 64}, {1, 20000, 1}, {2, 3000, 3}, {5, 1, 9},
	} {
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
			got := dirty(size)
			Softmax(got, x, s.outer, s.n, s.inner, c.log)
			compare(t, name, got, c.y, 1e-6)
			dgot := dirty(size)
			SoftmaxGrad(dgot, got, g, s.outer, s.n, s.inner, c.log)
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
