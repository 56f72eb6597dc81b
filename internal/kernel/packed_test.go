package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// Products with an operand that was packed before, by any number of threads.
func TestPacked(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, s := range [][3]int{{32, 70, 20}, {40, 33, 600}, {1, 5, 1100}, {300, 290, 16}} {
			m, n, k := s[0], s[1], s[2]
			a, b := noise(1, m*k), noise(2, k*n)
			for _, trans := range []bool{false, true} {
				ldb := n
				if trans {
					ldb = k
				}
				p, rest := packWhole(make([]float32, packedSize(k, n)+3), trans, k, n, b, ldb)
				if len(rest) != 3 {
					t.Errorf("%v: got %d elements left, want 3", s, len(rest))
				}
				what := fmt.Sprintf("%v, transposed %t", s, trans)
				old := noise(4, m*n)
				sameBits(t, what, func() []float32 {
					c, check := guarded(t, m*n, 1)
					copy(c, old)
					p.multiply(m, a, k, 0.5, c, n)
					check(what)
					return c
				})
				got, want := slices.Clone(old), naiveGemm(false, trans, m, n, k, 1, a, k, b, ldb, 0.5, old, n)
				p.multiply(m, a, k, 0.5, got, n)
				compare(t, what, got, want, 1e-4)
			}
		}
	})
}
