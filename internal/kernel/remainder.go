package kernel

import "math"

// Remainder is what is left of a after division by b, with the sign of a. b must
// not hold a zero.
func Remainder(out, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] % b[i]
	}
}

// Modulo is what is left of a after division by b, with the sign of b. b must
// not hold a zero.
func Modulo(out, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		r := a[i] % b[i]
		if r != 0 && (r < 0) != (b[i] < 0) {
			r += b[i]
		}
		out[i] = r
	}
}

// FloatRemainder is Remainder for floating-point numbers: a - b·trunc(a/b).
func FloatRemainder(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = float32(math.Mod(float64(a[i]), float64(b[i])))
	}
}

// Truncated is a/b without its fraction.
func Truncated(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = float32(math.Trunc(float64(a[i]) / float64(b[i])))
	}
}
