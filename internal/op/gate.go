package op

import (
	"math"

	"finetune/internal/kernel"
)

// ClippedGate is a gate whose argument is held to [-limit, limit]. It is one that
// rises, so that its result tells where that was done.
func ClippedGate(g Gate, limit float32) Gate {
	ends := []float32{-limit, limit}
	g.Of(ends, ends)
	margin := 1e-6 * float32(math.Abs(float64(ends[1]))+math.Abs(float64(ends[0])))
	low, high := ends[0]+margin, ends[1]-margin
	return Gate{
		Of: func(out, x []float32) {
			kernel.Clip(out, x, -limit, limit)
			g.Of(out, out)
		},
		Grad: func(out, y, grad []float32) {
			for i, v := range y {
				g.Grad(out[i:i+1], y[i:i+1], grad[i:i+1]) // out may be y
				if v <= low || v >= high {
					out[i] = 0
				}
			}
		},
	}
}
