package kernel

// The functions here are what a Zip runs. A bool is 0 or 1, and so they serve
// logic as well.

// And is the bits that both have.
func And(out, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] & b[i]
	}
}

// Or is the bits that at least one has.
func Or(out, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] | b[i]
	}
}

// Xor is the bits in which they differ.
func Xor(out, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] ^ b[i]
	}
}

// ShiftLeft moves the bits of a by b places up.
func ShiftLeft(out, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] << uint64(b[i])
	}
}

// ShiftRight moves the bits of a, taken as unsigned, by b places down.
func ShiftRight(out, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = int64(uint64(a[i]) >> uint64(b[i]))
	}
}
