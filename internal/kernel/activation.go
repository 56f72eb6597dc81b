package kernel

import (
	"fmt"
	"math"
)

// The functions here map element by element. out may be any of the inputs. NaN
// stays NaN, so that a broken value is seen where it was made.

// pointArgs are the arguments of an element-wise function; unused ones are left
// out.
type pointArgs struct {
	out, x, g []float32
	p, q      float32
}

func point(s *splitter[pointArgs], a pointArgs) {
	if len(a.x) != len(a.out) || a.g != nil && len(a.g) != len(a.out) {
		panic(fmt.Sprintf("kernel: got inputs of %d and %d elements, want %d", len(a.x), len(a.g), len(a.out)))
	}
	s.do(len(a.out), chunk, a)
}

// Bit patterns of float32, which compare without a branch to mispredict.
const (
	negZero = 0x80000000
	posInf  = 0x7F800000
)

// Relu computes max(x, 0).
func Relu(out, x []float32) { point(relu, pointArgs{out: out, x: x}) }

var relu = split(func(a *pointArgs, lo, hi int) {
	out, x := a.out[lo:hi], a.x[lo:hi]
	for i := range out {
		b := math.Float32bits(x[i])
		if b-negZero <= posInf { // -0 to -Inf
			b = 0
		}
		out[i] = math.Float32frombits(b)
	}
})

// ReluGrad passes g where y, which Relu made, is not 0.
func ReluGrad(out, y, g []float32) { point(reluGrad, pointArgs{out: out, x: y, g: g}) }

var reluGrad = split(func(a *pointArgs, lo, hi int) {
	out, y, g := a.out[lo:hi], a.x[lo:hi], a.g[lo:hi]
	for i := range out {
		b := math.Float32bits(g[i])
		if math.Float32bits(y[i]) == 0 {
			b = 0
		}
		out[i] = math.Float32frombits(b)
	}
})

// LeakyRelu computes x where x >= 0, otherwise alpha·x.
func LeakyRelu(out, x []float32, alpha float32) {
	point(leakyRelu, pointArgs{out: out, x: x, p: alpha})
}

var leakyRelu = split(func(a *pointArgs, lo, hi int) {
	out, x := a.out[lo:hi], a.x[lo:hi]
	slope := [2]float32{1, a.p}
	for i := range out {
		out[i] = x[i] * slope[math.Float32bits(x[i])>>31]
	}
})

// LeakyReluGrad computes g where x > 0, otherwise alpha·g. Only the sign of x
// counts.
func LeakyReluGrad(out, x, g []float32, alpha float32) {
	point(leakyReluGrad, pointArgs{out: out, x: x, g: g, p: alpha})
}

var leakyReluGrad = split(func(a *pointArgs, lo, hi int) {
	out, x, g := a.out[lo:hi], a.x[lo:hi], a.g[lo:hi]
	slope := [2]float32{a.p, 1}
	for i := range out {
		k := 0
		if math.Float32bits(x[i])-1 < posInf { // the smallest number to +Inf
			k = 1
		}
		out[i] = g[i] * slope[k]
	}
})

// Sigmoid computes 1/(1+exp(-x)).
func Sigmoid(out, x []float32) { point(sigmoid, pointArgs{out: out, x: x}) }

var sigmoid = split(func(a *pointArgs, lo, hi int) {
	out, x := a.out[lo:hi], a.x[lo:hi]
	for i := range out {
		out[i] = 1 / (1 + exp(-x[i]))
	}
})

// SigmoidGrad computes g·y·(1-y) for y = Sigmoid(x).
func SigmoidGrad(out, y, g []float32) { point(sigmoidGrad, pointArgs{out: out, x: y, g: g}) }

var sigmoidGrad = split(func(a *pointArgs, lo, hi int) {
	out, y, g := a.out[lo:hi], a.x[lo:hi], a.g[lo:hi]
	for i := range out {
		out[i] = g[i] * y[i] * (1 - y[i])
	}
})

// Tanh computes the hyperbolic tangent.
func Tanh(out, x []float32) { point(tanh, pointArgs{out: out, x: x}) }

var tanh = split(func(a *pointArgs, lo, hi int) {
	out, x := a.out[lo:hi], a.x[lo:hi]
	for i := range out {
		// With e = exp(2|x|) - 1, tanh |x| is e/(e+2).
		b := math.Float32bits(x[i])
		t := min(2*math.Float32frombits(b&^negZero), 40) // 1 from there on
		var e float32
		if t < math.Ln2/2 {
			e = expm1Near0(t)
		} else {
			e = exp(t) - 1
		}
		out[i] = math.Float32frombits(math.Float32bits(e/(e+2)) | b&negZero)
	}
})

// TanhGrad computes g·(1-y²) for y = Tanh(x).
func TanhGrad(out, y, g []float32) { point(tanhGrad, pointArgs{out: out, x: y, g: g}) }

var tanhGrad = split(func(a *pointArgs, lo, hi int) {
	out, y, g := a.out[lo:hi], a.x[lo:hi], a.g[lo:hi]
	for i := range out {
		out[i] = g[i] * (1 - y[i]*y[i])
	}
})

// Clip computes min(max(x, low), high).
func Clip(out, x []float32, low, high float32) {
	point(clip, pointArgs{out: out, x: x, p: low, q: high})
}

var clip = split(func(a *pointArgs, lo, hi int) {
	out, x := a.out[lo:hi], a.x[lo:hi]
	for i := range out {
		out[i] = min(max(x[i], a.p), a.q)
	}
})

// ClipGrad passes g where low <= x <= high.
func ClipGrad(out, x, g []float32, low, high float32) {
	point(clipGrad, pointArgs{out: out, x: x, g: g, p: low, q: high})
}

var clipGrad = split(func(a *pointArgs, lo, hi int) {
	out, x, g := a.out[lo:hi], a.x[lo:hi], a.g[lo:hi]
	for i := range out {
		b := math.Float32bits(g[i])
		if x[i] < a.p {
			b = 0
		}
		if x[i] > a.q {
			b = 0
		}
		out[i] = math.Float32frombits(b)
	}
})

// Scale computes factor·x.
func Scale(out, x []float32, factor float32) { point(scale, pointArgs{out: out, x: x, p: factor}) }

var scale = split(func(a *pointArgs, lo, hi int) {
	out, x := a.out[lo:hi], a.x[lo:hi]
	for i := range out {
		out[i] = a.p * x[i]
	}
})

// exp is e to the x within 2 units in the last place. x is taken apart as
// k·ln 2 + r with |r| <= ln 2/2, where eight terms of the Taylor series are
// closer to e to the r than float32 can tell.
func exp(x float32) float32 {
	if !(x > -87 && x < 88) { // subnormal, infinite or NaN
		return float32(math.Exp(float64(x)))
	}
	const (
		round = 3 << 22       // adding it leaves no bits for a fraction
		ln2hi = 355.0 / 512.0 // exact, and so is its product with k
		ln2lo = math.Ln2 - ln2hi
	)
	shifted := float32(x*math.Log2E) + round
	k := shifted - round
	r := x - float32(k*ln2hi) - float32(k*ln2lo)
	return (1 + expm1Near0(r)) * math.Float32frombits(uint32(int32(k)+127)<<23)
}

// expm1Near0 is e to the r, less 1, where |r| <= ln 2/2.
func expm1Near0(r float32) float32 {
	return r * (1 + r*(1.0/2+r*(1.0/6+r*(1.0/24+r*(1.0/120+r*(1.0/720+r*(1.0/5040)))))))
}
