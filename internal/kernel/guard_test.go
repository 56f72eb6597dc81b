package kernel

import (
	"math"
	"testing"
)

// canary is a NaN that no computation makes.
const canary = 0x7FC0BEEF

// guarded is a slice of n elements that is full of canaries, at so many elements
// after a start of its own, with canaries around it. check reports any of those
// that was written to.
func guarded(t *testing.T, n, offset int) (x []float32, check func(what string)) {
	const margin = 32
	all := make([]float32, margin+offset+n+margin)
	for i := range all {
		all[i] = math.Float32frombits(canary)
	}
	lo := margin + offset
	return all[lo : lo+n : lo+n], func(what string) {
		t.Helper()
		for i, v := range all {
			if (i < lo || i >= lo+n) && math.Float32bits(v) != canary {
				t.Fatalf("%s: wrote element %d of %d", what, i-lo, n)
			}
		}
	}
}

// same tells whether two numbers are equal, or both NaN. Zeros are equal.
func same(a, b float32) bool { return a == b || a != a && b != b }

// lengths are around the widths of vectors and the rounds of loops.
var lengths = []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 47, 63, 64, 65, 79, 100, 127, 128, 129, 500}
