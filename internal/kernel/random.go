package kernel

import "math"

// Dropout sets each element to 0 with probability ratio and multiplies the
// others by 1/(1-ratio), which keeps the mean. Whether element i is kept is a
// function of seed, step and i alone: applied to a gradient, the same call
// drops the same elements. out may be x.
//
// Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: A Simple
// Way to Prevent Neural Networks from Overfitting", 2014.
func Dropout(out, x []float32, ratio float32, seed, step uint64) {
	if !(ratio >= 0 && ratio < 1) {
		panic("kernel: dropout ratio outside [0, 1)")
	}
	if len(out) != len(x) {
		panic("kernel: dropout of unequal lengths")
	}
	dropout.do(len(out), chunk, dropoutArgs{
		out: out, x: x,
		key:    mix(mix(seed) + step),
		limit:  uint64(math.Ceil(float64(ratio) * (1 << 32))),
		factor: float32(1 / (1 - float64(ratio))),
	})
}

type dropoutArgs struct {
	out, x []float32
	key    uint64
	limit  uint64 // of 1<<32; a draw below it drops the element
	factor float32
}

var dropout = split(func(a *dropoutArgs, lo, hi int) {
	out, x := a.out[lo:hi], a.x[lo:hi]
	keep := [2]float32{a.factor, 0}
	for i := range out {
		draw := mix(a.key+uint64(lo+i)*weyl) >> 32
		k := 0
		if draw < a.limit {
			k = 1
		}
		out[i] = x[i] * keep[k]
	}
})

// weyl is 2^64 over the golden ratio, an odd number.
const weyl = 0x9E3779B97F4A7C15

// mix scrambles a counter: the output function of SplitMix64 (Steele, Lea,
// Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
func mix(z uint64) uint64 {
	z += weyl
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
