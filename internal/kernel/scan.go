package kernel

import "fmt"

// A lane is the elements of an array (outer, n, inner) that differ only in their
// middle index.
func checkLanes(out, x, outer, n, inner int) {
	if size := outer * n * inner; out != size || x != size {
		panic(fmt.Sprintf("kernel: got %d and %d elements in lanes, want %d", out, x, size))
	}
}

// A Scan says how running totals along lanes are taken.
type Scan struct {
	Exclusive bool // an element does not count into its own total
	Reverse   bool // from the last element to the first
}

// order is the first index of a lane and the step to the next.
func (s Scan) order(n int) (first, step int) {
	if s.Reverse {
		return n - 1, -1
	}
	return 0, 1
}

// CumSum computes running sums along the middle axis of x (outer, n, inner).
func CumSum[T Number](out, x []T, outer, n, inner int, s Scan) {
	checkLanes(len(out), len(x), outer, n, inner)
	first, step := s.order(n)
	for o := range outer {
		lane := o * n * inner
		for i := range inner {
			var total T
			for k, p := 0, first; k < n; k, p = k+1, p+step {
				at := lane + p*inner + i
				v := x[at]
				if s.Exclusive {
					out[at] = total
					total += v
				} else {
					total += v
					out[at] = total
				}
			}
		}
	}
}

// CumProd computes running products along the middle axis of x (outer, n, inner).
func CumProd[T Number](out, x []T, outer, n, inner int, s Scan) {
	checkLanes(len(out), len(x), outer, n, inner)
	first, step := s.order(n)
	for o := range outer {
		lane := o * n * inner
		for i := range inner {
			total := T(1)
			for k, p := 0, first; k < n; k, p = k+1, p+step {
				at := lane + p*inner + i
				v := x[at]
				if s.Exclusive {
					out[at] = total
					total *= v
				} else {
					total *= v
					out[at] = total
				}
			}
		}
	}
}

// CumProdGrad computes the gradient of CumProd: each element's is the sum, over
// the totals it counts into, of g times the product of the other factors. It
// multiplies anew for every element, so that zeros need no care.
func CumProdGrad(dx, x, g []float32, outer, n, inner int, s Scan) {
	checkLanes(len(dx), len(x), outer, n, inner)
	checkLanes(len(dx), len(g), outer, n, inner)
	first, step := s.order(n)
	for o := range outer {
		lane := o * n * inner
		for i := range inner {
			at := func(k int) int { return lane + (first+k*step)*inner + i }
			before := 1.0 // product of the elements before k
			for k := range n {
				total, rest := 0.0, before
				for j := k; j < n; j++ {
					if j > k && !s.Exclusive {
						rest *= float64(x[at(j)])
					}
					if j > k || !s.Exclusive {
						total += float64(g[at(j)]) * rest
					}
					if j > k && s.Exclusive {
						rest *= float64(x[at(j)])
					}
				}
				dx[at(k)] = float32(total)
				before *= float64(x[at(k)])
			}
		}
	}
}
