package kernel

import "fmt"

// OutOfRange returns the position of the first index outside [low, high), or -1.
func OutOfRange(indices []int64, low, high int64) int {
	for i, v := range indices {
		if v < low || v >= high {
			return i
		}
	}
	return -1
}

// Gather copies from x, of shape (outer, n, inner), the slices that the indices
// name along the middle axis; out has shape (outer, len(indices), inner).
// Indices lie in [-n, n); a negative one counts from the end.
func Gather[T Number](out, x []T, indices []int64, outer, n, inner int) {
	checkGather(len(out), len(x), len(indices), outer, n, inner)
	switch out := any(out).(type) {
	case []float32:
		a := gatherArgs[float32]{out, any(x).([]float32), indices, n, inner}
		gatherFloats.do(outer*len(indices), chunk/max(inner, 1), a)
	case []int64:
		a := gatherArgs[int64]{out, any(x).([]int64), indices, n, inner}
		gatherSlices(&a, 0, outer*len(indices))
	}
}

// ScatterAdd is the gradient of Gather: it clears out, of shape (outer, n,
// inner), and adds to it each slice of g, of shape (outer, len(indices), inner),
// where its index says. An index that comes twice collects both, in order.
func ScatterAdd(out, g []float32, indices []int64, outer, n, inner int) {
	checkGather(len(g), len(out), len(indices), outer, n, inner)
	// Each task reads all indices, so there are few.
	rows := outer * n
	scatterAdd.do(rows, max(rows/16, chunk/max(inner, 1)), gatherArgs[float32]{g, out, indices, n, inner})
}

type gatherArgs[T Number] struct {
	picked, table []T
	indices       []int64
	n, inner      int
}

var (
	gatherFloats = split(gatherSlices[float32])
	scatterAdd   = split(addSlices)
)

func checkGather(picked, table, indices, outer, n, inner int) {
	if table != outer*n*inner || picked != outer*indices*inner {
		panic(fmt.Sprintf("kernel: got %d and %d elements to gather, want %d and %d",
			table, picked, outer*n*inner, outer*indices*inner))
	}
}

func gatherSlices[T Number](a *gatherArgs[T], lo, hi int) {
	k := len(a.indices)
	for s := lo; s < hi; s++ {
		row := s/k*a.n + wrap(a.indices[s%k], a.n)
		copy(a.picked[s*a.inner:(s+1)*a.inner], a.table[row*a.inner:(row+1)*a.inner])
	}
}

// addSlices fills rows lo to hi of the table.
func addSlices(a *gatherArgs[float32], lo, hi int) {
	clear(a.table[lo*a.inner : hi*a.inner])
	k := len(a.indices)
	for outer := lo / a.n; outer*a.n < hi; outer++ {
		for i, index := range a.indices {
			row := outer*a.n + wrap(index, a.n)
			if row < lo || row >= hi {
				continue
			}
			out := a.table[row*a.inner : (row+1)*a.inner]
			g := a.picked[(outer*k+i)*a.inner:][:len(out)]
			active.arithmetic[Add].both(out, out, g, len(out), 0, 0)
		}
	}
}

func wrap(index int64, n int) int {
	if index < 0 {
		index += int64(n)
	}
	return int(index)
}
