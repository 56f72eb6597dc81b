package kernel

import "math"

// ToFloat rounds integers to float32.
func ToFloat(out []float32, x []int64) {
	x = x[:len(out)]
	for i := range out {
		out[i] = float32(x[i])
	}
}

// ToInt drops the fraction. What does not fit becomes the nearest int64, and
// NaN becomes 0: the same on every machine.
func ToInt(out []int64, x []float32) {
	x = x[:len(out)]
	for i, v := range x {
		switch {
		case v != v:
			out[i] = 0
		case v >= 1<<63:
			out[i] = math.MaxInt64
		case v < -1<<63:
			out[i] = math.MinInt64
		default:
			out[i] = int64(v)
		}
	}
}

// NonZero sets 1 where x is not 0 (NaN included), otherwise 0.
func NonZero[T Number](out []int64, x []T) {
	x = x[:len(out)]
	for i, v := range x {
		out[i] = 0
		if v != 0 {
			out[i] = 1
		}
	}
}
