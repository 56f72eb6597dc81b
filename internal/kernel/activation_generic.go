package kernel

import "math"

var pointGeneric = pointFuncs{
	relu: func(out, x, _ []float32, _, _ float32) {
		for i := range out {
			b := math.Float32bits(x[i])
			if b-negZero <= posInf { // -0 to -Inf
				b = 0
			}
			out[i] = math.Float32frombits(b)
		}
	},
	reluGrad: func(out, y, g []float32, _, _ float32) {
		for i := range out {
			b := math.Float32bits(g[i])
			if math.Float32bits(y[i]) == 0 {
				b = 0
			}
			out[i] = math.Float32frombits(b)
		}
	},
	leakyRelu: func(out, x, _ []float32, alpha, _ float32) {
		slope := [2]float32{1, alpha}
		for i := range out {
			out[i] = x[i] * slope[math.Float32bits(x[i])>>31]
		}
	},
	leakyReluGrad: func(out, x, g []float32, alpha, _ float32) {
		slope := [2]float32{alpha, 1}
		for i := range out {
			k := 0
			if math.Float32bits(x[i])-1 < posInf { // the smallest number to +Inf
				k = 1
			}
			out[i] = g[i] * slope[k]
		}
	},
	clip: func(out, x, _ []float32, low, high float32) {
		for i := range out {
			out[i] = min(max(x[i], low), high)
		}
	},
	clipGrad: func(out, y, g []float32, low, high float32) {
		for i := range out {
			b := math.Float32bits(g[i])
			if y[i] <= low {
				b = 0
			}
			if y[i] >= high {
				b = 0
			}
			out[i] = math.Float32frombits(b)
		}
	},
	exp: func(out, x, _ []float32, _, _ float32) {
		for i := range out {
			out[i] = exp(x[i])
		}
	},
	sigmoid: func(out, x, _ []float32, _, _ float32) {
		for i := range out {
			out[i] = 1 / (1 + exp(-x[i]))
		}
	},
	sigmoidGrad: func(out, y, g []float32, _, _ float32) {
		for i := range out {
			out[i] = g[i] * y[i] * (1 - y[i])
		}
	},
	tanh: func(out, x, _ []float32, _, _ float32) {
		for i := range out {
			out[i] = tanhOf(x[i])
		}
	},
	tanhGrad: func(out, y, g []float32, _, _ float32) {
		for i := range out {
			out[i] = g[i] * (1 - float32(y[i]*y[i]))
		}
	},
	erf: func(out, x, _ []float32, _, _ float32) {
		for i := range out {
			out[i] = erfOf(x[i])
		}
	},
	erfGrad: func(out, x, g []float32, _, _ float32) {
		for i := range out {
			out[i] = g[i] * (exp(-x[i]*x[i]) * (2 / math.SqrtPi))
		}
	},
	gelu: func(out, x, _ []float32, _, _ float32) {
		for i := range out {
			half := x[i] / 2
			out[i] = half + half*erfOf(x[i]*(1/math.Sqrt2))
		}
	},
	geluGrad: func(out, x, g []float32, _, _ float32) {
		const density = 1 / (math.Sqrt2 * math.SqrtPi)
		for i := range out {
			x := x[i]
			out[i] = g[i] * (0.5 + erfOf(x*(1/math.Sqrt2))/2 + x*exp(-x*x/2)*density)
		}
	},
	geluTanh: func(out, x, _ []float32, _, _ float32) {
		for i := range out {
			half := x[i] / 2
			out[i] = half + half*tanhOf(x[i]*(geluA+geluB*(x[i]*x[i])))
		}
	},
	geluTanhGrad: func(out, x, g []float32, _, _ float32) {
		// With s = (1+tanh(u))/2 the slope is s + x·2u'·s·(1-s); with e =
		// exp(-2|u|) and r = 1/(1+e), s·(1-s) is e·r².
		for i := range out {
			x := min(max(x[i], -16), 16) // from there on it has its limits
			u := x * (geluA + geluB*(x*x))
			e := exp(-2 * max(u, -u))
			r := 1 / (1 + e)
			s := r
			if x < 0 {
				s = e * r
			}
			out[i] = g[i] * (s + x*(2*geluA+6*geluB*(x*x))*(e*r*r))
		}
	},
	scale: func(out, x, _ []float32, factor, _ float32) {
		for i := range out {
			out[i] = factor * x[i]
		}
	},
	difference: func(out, x, y []float32, factor, _ float32) {
		for i := range out {
			out[i] = factor * (x[i] - y[i])
		}
	},
}

// Bit patterns of float32, which compare without a branch to mispredict.
const (
	negZero = 0x80000000
	posInf  = 0x7F800000
)

// √(2/π)·(x + 0.044715·x³) = x·(geluA + geluB·x²)
const (
	geluA = math.Sqrt2 / math.SqrtPi
	geluB = 0.044715 * geluA
)
