package kernel

// Max is the larger of a and b; NaN if either is.
func Max[T Number](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = max(a[i], b[i])
	}
}

// Min is the smaller of a and b; NaN if either is.
func Min[T Number](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = min(a[i], b[i])
	}
}

// Larger is the share that a has in the maximum: 1 where a > b, 0 where a < b,
// and 0.5 for equals.
func Larger(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		switch {
		case a[i] > b[i]:
			out[i] = 1
		case a[i] < b[i]:
			out[i] = 0
		default:
			out[i] = 0.5
		}
	}
}

// Match is 1 where a and b are equal, otherwise 0.
func Match(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		v := float32(0)
		if a[i] == b[i] {
			v = 1
		}
		out[i] = v // which may be a or b
	}
}
