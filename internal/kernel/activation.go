package kernel

import "fmt"

// The functions here map element by element. out may be any of the inputs. NaN
// stays NaN, so that a broken value is seen where it was made. Errors are those
// of the fast versions.

// pointFunc is an element-wise function of x, or of x and g, with parameters p
// and q. Each formula leaves out what it does not use.
type pointFunc = func(out, x, g []float32, p, q float32)

// pointFuncs are the loops of the functions of their names.
type pointFuncs struct {
	relu, reluGrad, leakyRelu, leakyReluGrad, clip, clipGrad pointFunc
	exp, sigmoid, sigmoidGrad, tanh, tanhGrad, erf, erfGrad  pointFunc
	gelu, geluGrad, geluTanh, geluTanhGrad                   pointFunc
	scale, difference                                        pointFunc
}

type pointArgs struct {
	out, x, g []float32
	p, q      float32
}

// pointwise makes a splitter of the loop that is picked from the active ones.
func pointwise(pick func(*pointFuncs) pointFunc) *splitter[pointArgs] {
	return split(func(a *pointArgs, lo, hi int) {
		var g []float32
		if a.g != nil {
			g = a.g[lo:hi]
		}
		pick(&active.point)(a.out[lo:hi], a.x[lo:hi], g, a.p, a.q)
	})
}

var (
	relu          = pointwise(func(f *pointFuncs) pointFunc { return f.relu })
	reluGrad      = pointwise(func(f *pointFuncs) pointFunc { return f.reluGrad })
	leakyRelu     = pointwise(func(f *pointFuncs) pointFunc { return f.leakyRelu })
	leakyReluGrad = pointwise(func(f *pointFuncs) pointFunc { return f.leakyReluGrad })
	clip          = pointwise(func(f *pointFuncs) pointFunc { return f.clip })
	clipGrad      = pointwise(func(f *pointFuncs) pointFunc { return f.clipGrad })
	expPoints     = pointwise(func(f *pointFuncs) pointFunc { return f.exp })
	sigmoid       = pointwise(func(f *pointFuncs) pointFunc { return f.sigmoid })
	sigmoidGrad   = pointwise(func(f *pointFuncs) pointFunc { return f.sigmoidGrad })
	tanh          = pointwise(func(f *pointFuncs) pointFunc { return f.tanh })
	tanhGrad      = pointwise(func(f *pointFuncs) pointFunc { return f.tanhGrad })
	erf           = pointwise(func(f *pointFuncs) pointFunc { return f.erf })
	erfGrad       = pointwise(func(f *pointFuncs) pointFunc { return f.erfGrad })
	gelu          = pointwise(func(f *pointFuncs) pointFunc { return f.gelu })
	geluGrad      = pointwise(func(f *pointFuncs) pointFunc { return f.geluGrad })
	geluTanh      = pointwise(func(f *pointFuncs) pointFunc { return f.geluTanh })
	geluTanhGrad  = pointwise(func(f *pointFuncs) pointFunc { return f.geluTanhGrad })
	scale         = pointwise(func(f *pointFuncs) pointFunc { return f.scale })
	difference    = pointwise(func(f *pointFuncs) pointFunc { return f.difference })
)

func point(s *splitter[pointArgs], a pointArgs) {
	if len(a.x) != len(a.out) || a.g != nil && len(a.g) != len(a.out) {
		panic(fmt.Sprintf("kernel: got inputs of %d and %d elements, want %d", len(a.x), len(a.g), len(a.out)))
	}
	s.do(len(a.out), chunk, a)
}

// Relu computes max(x, 0).
func Relu(out, x []float32) { point(relu, pointArgs{out: out, x: x}) }

// ReluGrad passes g where y, which Relu made, is not 0.
func ReluGrad(out, y, g []float32) { point(reluGrad, pointArgs{out: out, x: y, g: g}) }

// LeakyRelu computes x where x >= 0, otherwise alpha·x.
func LeakyRelu(out, x []float32, alpha float32) {
	point(leakyRelu, pointArgs{out: out, x: x, p: alpha})
}

// LeakyReluGrad computes g where x > 0, otherwise alpha·g. Only the sign of x
// counts.
func LeakyReluGrad(out, x, g []float32, alpha float32) {
	point(leakyReluGrad, pointArgs{out: out, x: x, g: g, p: alpha})
}

// Clip computes min(max(x, low), high).
func Clip(out, x []float32, low, high float32) {
	point(clip, pointArgs{out: out, x: x, p: low, q: high})
}

// ClipGrad passes g where low < y < high, for y = Clip(x).
func ClipGrad(out, y, g []float32, low, high float32) {
	point(clipGrad, pointArgs{out: out, x: y, g: g, p: low, q: high})
}

// Exp computes e to the x, with a relative error of at most 1.5e-7.
func Exp(out, x []float32) { point(expPoints, pointArgs{out: out, x: x}) }

// ExpGrad computes g·y for y = Exp(x).
func ExpGrad(out, y, g []float32) { point(expGrad, pointArgs{out: out, x: y, g: g}) }

var expGrad = split(func(a *pointArgs, lo, hi int) {
	multiply(a.out[lo:hi], a.x[lo:hi], a.g[lo:hi])
})

// Sigmoid computes 1/(1+exp(-x)), with a relative error of at most 2e-7;
// what is below 1e-38 may be 0.
func Sigmoid(out, x []float32) { point(sigmoid, pointArgs{out: out, x: x}) }

// SigmoidGrad computes g·y·(1-y) for y = Sigmoid(x).
func SigmoidGrad(out, y, g []float32) { point(sigmoidGrad, pointArgs{out: out, x: y, g: g}) }

// Tanh computes the hyperbolic tangent, with a relative error of at most 4e-7.
func Tanh(out, x []float32) { point(tanh, pointArgs{out: out, x: x}) }

// TanhGrad computes g·(1-y²) for y = Tanh(x).
func TanhGrad(out, y, g []float32) { point(tanhGrad, pointArgs{out: out, x: y, g: g}) }

// Erf computes the error function, with a relative error of at most 5e-7.
func Erf(out, x []float32) { point(erf, pointArgs{out: out, x: x}) }

// ErfGrad computes g·2/√π·exp(-x²), the gradient of Erf, with an error of at
// most 2e-7 of |g|.
func ErfGrad(out, x, g []float32) { point(erfGrad, pointArgs{out: out, x: x, g: g}) }

// Gelu computes x·Φ(x), where Φ(x) = (1+erf(x/√2))/2 is the normal distribution
// function, with an error of at most 3e-7 of |x|.
//
// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016,
// https://arxiv.org/abs/1606.08415.
func Gelu(out, x []float32) { point(gelu, pointArgs{out: out, x: x}) }

// GeluGrad computes g·(Φ(x) + x·exp(-x²/2)/√(2π)), the gradient of Gelu, with an
// error of at most 3e-7 of |g|.
func GeluGrad(out, x, g []float32) { point(geluGrad, pointArgs{out: out, x: x, g: g}) }

// GeluTanh computes x/2·(1+tanh(√(2/π)·(x + 0.044715·x³))), which comes close to
// Gelu, with an error of at most 2e-7 of |x|.
func GeluTanh(out, x []float32) { point(geluTanh, pointArgs{out: out, x: x}) }

// GeluTanhGrad computes the gradient of GeluTanh, with an error of at most 3e-7
// of |g|.
func GeluTanhGrad(out, x, g []float32) { point(geluTanhGrad, pointArgs{out: out, x: x, g: g}) }

// Scale computes factor·x.
func Scale(out, x []float32, factor float32) { point(scale, pointArgs{out: out, x: x, p: factor}) }
