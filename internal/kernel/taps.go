package kernel

import "fmt"

// Taps is a linear map of one axis to another in which each element is the
// weighted sum of a few: what resizing and padding are. It is a sparse matrix by
// rows.
type Taps struct {
	From   int // elements of the axis that is read
	starts []int
	index  []int
	weight []float32
}

// NewTaps is the map to an axis without elements; Row adds them.
func NewTaps(from int) *Taps { return &Taps{From: from, starts: []int{0}} }

// Row adds an element, the sum of the weighted ones at the indices. Indices are
// in [0, From); those of weight 0 are left out.
func (t *Taps) Row(index []int, weight []float64) {
	for i, k := range index {
		if k < 0 || k >= t.From {
			panic(fmt.Sprintf("kernel: tap %d of %d elements", k, t.From))
		}
		if weight[i] != 0 {
			t.index = append(t.index, k)
			t.weight = append(t.weight, float32(weight[i]))
		}
	}
	t.starts = append(t.starts, len(t.index))
}

// To is the number of elements of the axis that is made.
func (t *Taps) To() int { return len(t.starts) - 1 }

// Transposed is the map that takes gradients back.
func (t *Taps) Transposed() *Taps {
	counts := make([]int, t.From+1)
	for _, k := range t.index {
		counts[k+1]++
	}
	for k := range t.From {
		counts[k+1] += counts[k]
	}
	b := &Taps{From: t.To(), starts: counts, index: make([]int, len(t.index)), weight: make([]float32, len(t.index))}
	next := append([]int(nil), counts...)
	for row := range t.To() {
		for i := t.starts[row]; i < t.starts[row+1]; i++ {
			at := next[t.index[i]]
			next[t.index[i]]++
			b.index[at], b.weight[at] = row, t.weight[i]
		}
	}
	return b
}

// Resample maps the middle axis of x (outer, From, inner) to that of out (outer,
// To, inner).
func (t *Taps) Resample(out, x []float32, outer, inner int) {
	if len(x) != outer*t.From*inner || len(out) != outer*t.To()*inner {
		panic(fmt.Sprintf("kernel: got %d elements to resample to %d, want %d to %d",
			len(x), len(out), outer*t.From*inner, outer*t.To()*inner))
	}
	resample.do(outer*t.To(), chunk/max(inner, 1), tapArgs{t, out, x, inner})
}

type tapArgs struct {
	t      *Taps
	out, x []float32
	inner  int
}

var resample = split(func(a *tapArgs, lo, hi int) {
	t, inner := a.t, a.inner
	for r := lo; r < hi; r++ {
		base, row := r/t.To()*t.From, r%t.To()
		from, to := t.starts[row], t.starts[row+1]
		if inner == 1 {
			var total float32
			for i := from; i < to; i++ {
				total += t.weight[i] * a.x[base+t.index[i]]
			}
			a.out[r] = total
			continue
		}
		out := a.out[r*inner : (r+1)*inner]
		clear(out)
		for i := from; i < to; i++ {
			w := t.weight[i]
			x := a.x[(base+t.index[i])*inner:][:len(out)]
			for j := range out {
				out[j] += w * x[j]
			}
		}
	}
})
