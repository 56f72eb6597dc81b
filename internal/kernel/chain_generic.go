package kernel

import "math"

var chainGeneric = chainFuncs{
	addScaled: func(out, x, y []float32, a, _ float32) {
		x, y = x[:len(out)], y[:len(out)]
		for i := range out {
			out[i] = x[i] + float32(a*y[i])
		}
	},
	// The sign of a weight is as good as random, and a branch on it is
	// mispredicted half of the time; so a gets the sign bit of y without one.
	addSigns: func(out, x, y []float32, a, _ float32) {
		x, y = x[:len(out)], y[:len(out)]
		size := math.Float32bits(a)
		for i := range out {
			bits := math.Float32bits(y[i])
			step := size | bits&negZero
			if bits&^negZero == 0 {
				step = 0
			}
			out[i] = x[i] + math.Float32frombits(step)
		}
	},
	shrink: func(out, x, _ []float32, a, _ float32) {
		x = x[:len(out)]
		for i := range out {
			bits := math.Float32bits(x[i])
			left := math.Float32bits(math.Float32frombits(bits&^negZero) - a)
			left &^= uint32(int32(left) >> 31) // 0 where negative
			if left != 0 {
				left |= bits & negZero
			}
			out[i] = math.Float32frombits(left)
		}
	},
	average: func(out, x, y []float32, keep, add float32) {
		x, y = x[:len(out)], y[:len(out)]
		for i := range out {
			out[i] = float32(keep*x[i]) + float32(add*y[i])
		}
	},
	averageSquares: func(out, x, y []float32, keep, add float32) {
		x, y = x[:len(out)], y[:len(out)]
		for i := range out {
			out[i] = float32(keep*x[i]) + float32(float32(add*y[i])*y[i])
		}
	},
	normalized: func(out, x, y []float32, root, eps float32) {
		x, y = x[:len(out)], y[:len(out)]
		for i := range out {
			out[i] = x[i] / (float32(math.Sqrt(float64(y[i])))/root + eps)
		}
	},
	clearDropped: func(x []float32, keep []bool) {
		keep = keep[:len(x)]
		for i, v := range x {
			bits := math.Float32bits(v)
			if !keep[i] {
				bits = 0
			}
			x[i] = math.Float32frombits(bits)
		}
	},
}
