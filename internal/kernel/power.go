package kernel

import "math"

// Pow is a to the b.
func Pow(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = float32(math.Pow(float64(a[i]), float64(b[i])))
	}
}

// PowSlope is the derivative of a to the b with respect to a.
func PowSlope(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		x, n := float64(a[i]), float64(b[i])
		if n == 0 {
			out[i] = 0 // also at x = 0, where x to the -1 is infinite
			continue
		}
		out[i] = float32(n * math.Pow(x, n-1))
	}
}

// PowExponentSlope is the derivative of a to the b with respect to b: the power
// times ln a, and 0 where a is 0 and b is not negative.
func PowExponentSlope(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		x, n := float64(a[i]), float64(b[i])
		if x == 0 && n >= 0 {
			out[i] = 0
			continue
		}
		out[i] = float32(math.Pow(x, n) * math.Log(x))
	}
}

// PowInt is a to the b for integers. With a negative exponent, what is not a
// whole number becomes 0.
func PowInt(out, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		x, n, y := a[i], b[i], int64(1)
		if n < 0 {
			if x != 1 && x != -1 {
				y = 0
			}
			n = -n
		}
		for ; n > 0; n >>= 1 {
			if n&1 != 0 {
				y *= x
			}
			x *= x
		}
		out[i] = y
	}
}
