package kernel

import (
	"cmp"
	"fmt"
	"slices"
)

// ArgExtreme finds, in each lane along the middle axis of x (outer, n, inner),
// the index of the largest element, or of the smallest; of equals the first, or
// the last. NaN is larger than all and smaller than all.
func ArgExtreme[T Number](out []int64, x []T, outer, n, inner int, smallest, last bool) {
	if len(out) != outer*inner || len(x) != outer*n*inner {
		panic(fmt.Sprintf("kernel: got %d elements for %d results, want %d for %d", len(x), len(out), outer*n*inner, outer*inner))
	}
	for o := range outer {
		for i := range inner {
			lane := x[o*n*inner+i:]
			best := 0
			for k := 1; k < n; k++ {
				v, b := lane[k*inner], lane[best*inner]
				better := v > b || v != v && b == b
				if smallest {
					better = v < b || v != v && b == b
				}
				if better || last && (v == b || v != v && b != b) {
					best = k
				}
			}
			out[o*inner+i] = int64(best)
		}
	}
}

// TopK finds, in each lane along the middle axis of x (outer, n, inner), the
// indices of the k largest elements, the largest first, or of the k smallest.
// Of equals, the first come first.
func TopK[T Number](out []int64, x []T, outer, n, inner, k int, smallest bool) {
	if len(out) != outer*k*inner || len(x) != outer*n*inner || k > n {
		panic(fmt.Sprintf("kernel: got %d elements for %d results, want %d for %d", len(x), len(out), outer*n*inner, outer*k*inner))
	}
	order := make([]int, n)
	for o := range outer {
		for i := range inner {
			lane := x[o*n*inner+i:]
			for j := range order {
				order[j] = j
			}
			slices.SortStableFunc(order, func(a, b int) int {
				if smallest {
					return cmp.Compare(lane[a*inner], lane[b*inner])
				}
				return cmp.Compare(lane[b*inner], lane[a*inner])
			})
			for j, p := range order[:k] {
				out[(o*k+j)*inner+i] = int64(p)
			}
		}
	}
}
