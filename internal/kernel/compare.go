package kernel

// The functions here are what a Zip runs: out, a and b are of one length.

// Equal sets 1 where a and b are equal, otherwise 0. NaN equals nothing.
func Equal[T Number](out []int64, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = truth(a[i] == b[i])
	}
}

// Less sets 1 where a < b, otherwise 0.
func Less[T Number](out []int64, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = truth(a[i] < b[i])
	}
}

// LessOrEqual sets 1 where a <= b, otherwise 0.
func LessOrEqual[T Number](out []int64, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = truth(a[i] <= b[i])
	}
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
