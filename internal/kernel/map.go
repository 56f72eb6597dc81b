package kernel

import "fmt"

// Map computes out = f(x), element by element, in float64. out may be x. It is
// for functions that are rarely the bulk of a model's work: the common ones
// have kernels of their own.
func Map(out, x []float32, f func(x float64) float64) {
	if len(x) != len(out) {
		panic(fmt.Sprintf("kernel: got %d elements to map, want %d", len(x), len(out)))
	}
	mapFloats.do(len(out), chunk/8, mapArgs{out: out, x: x, f: f})
}

// MapGrad computes out = g·slope(from), element by element. out may be either.
func MapGrad(out, from, g []float32, slope func(from float64) float64) {
	if len(from) != len(out) || len(g) != len(out) {
		panic(fmt.Sprintf("kernel: got %d and %d elements to map, want %d", len(from), len(g), len(out)))
	}
	mapSlopes.do(len(out), chunk/8, mapArgs{out: out, x: from, g: g, f: slope})
}

type mapArgs struct {
	out, x, g []float32
	f         func(float64) float64
}

var mapFloats = split(func(a *mapArgs, lo, hi int) {
	out, x := a.out[lo:hi], a.x[lo:hi]
	for i := range out {
		out[i] = float32(a.f(float64(x[i])))
	}
})

var mapSlopes = split(func(a *mapArgs, lo, hi int) {
	out, x, g := a.out[lo:hi], a.x[lo:hi], a.g[lo:hi]
	for i := range out {
		out[i] = g[i] * float32(a.f(float64(x[i])))
	}
})
