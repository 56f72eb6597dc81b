package kernel

import "fmt"

// Reduction plans a sum over some axes of an array.
type Reduction struct {
	kept, keptStrides       []int // axes of the result, but the last run
	reduced, reducedStrides []int // axes summed over, but the last run
	run                     int   // length of the innermost axis
	inner                   bool  // the innermost axis is summed over
	size, out               int
}

// NewReduction plans the sum of an array of the given shape over the axes for
// which reduce holds.
func NewReduction(shape []int, reduce []bool) Reduction {
	r := Reduction{size: product(shape), out: 1}
	results := make([]int, len(shape)) // strides of the result; 0 where summed
	for k := len(shape) - 1; k >= 0; k-- {
		if !reduce[k] {
			results[k] = r.out
			r.out *= shape[k]
		}
	}
	dims, s := mergeAxes(shape, Strides(shape), results)
	last := len(dims) - 1
	r.run, r.inner = dims[last], s[1][last] == 0
	r.kept, r.keptStrides = []int{1}, []int{0} // a cursor needs an axis
	r.reduced, r.reducedStrides = []int{1}, []int{0}
	for k := range last {
		if s[1][k] != 0 {
			r.kept, r.keptStrides = append(r.kept, dims[k]), append(r.keptStrides, s[0][k])
		} else {
			r.reduced, r.reducedStrides = append(r.reduced, dims[k]), append(r.reducedStrides, s[0][k])
		}
	}
	return r
}

// Sum adds up x as planned and divides each total by div. float32 elements are
// accumulated in float64.
func Sum[T Number](out, x []T, r *Reduction, div int) {
	if len(out) != r.out || len(x) != r.size {
		panic(fmt.Sprintf("kernel: got %d elements to sum to %d, want %d to %d", len(x), len(out), r.size, r.out))
	}
	if r.size == 0 {
		clear(out)
		return
	}
	switch out := any(out).(type) {
	case []float32:
		a := sumArgs[float32]{out, any(x).([]float32), r, div}
		switch n := r.blocks(); {
		case !r.inner:
			sumFloatColumns.do(n, chunk*n/r.size, a)
		case r.out == 1 && r.run == r.size:
			out[0] = float32(totalOfAll(a.x) / float64(div))
		default:
			sumFloatRuns.do(r.out, chunk*r.out/r.size, a)
		}
	case []int64:
		sumInts(&sumArgs[int64]{out, any(x).([]int64), r, div})
	}
}

type sumArgs[T Number] struct {
	out, x []T
	r      *Reduction
	div    int
}

var (
	sumFloatRuns    = split(sumRuns)
	sumFloatColumns = split(sumColumns)
)

// sumRuns makes results lo to hi where the innermost axis is summed over.
func sumRuns(a *sumArgs[float32], lo, hi int) {
	r := a.r
	var at, in cursor
	last := at.seek(r.kept, lo)
	pieces := product(r.reduced)
	if pieces == 1 && r.run <= sumPiece {
		for o := lo; o < hi; {
			base := at.offset(r.keptStrides)
			rows := min(r.kept[last]-at[last], hi-o)
			active.sums.rows(a.out[o:o+rows], a.x[base:], r.run, r.keptStrides[last], float64(a.div))
			o += rows
			at.advance(r.kept, rows)
		}
		return
	}
	for o := lo; o < hi; o++ {
		base := at.offset(r.keptStrides)
		in.seek(r.reduced, 0)
		sum := 0.0
		for range pieces {
			p := base + in.offset(r.reducedStrides)
			sum += total(a.x[p : p+r.run])
			in.advance(r.reduced, 1)
		}
		a.out[o] = float32(sum / float64(a.div))
		at.advance(r.kept, 1)
	}
}

// blocks is how many blocks of neighbouring results there are where the innermost
// axis is kept.
func (r *Reduction) blocks() int {
	return product(r.kept) * blocks(r.run, sumBlock)
}

// sumColumns makes blocks lo to hi where the innermost axis is kept.
func sumColumns(a *sumArgs[float32], lo, hi int) {
	r := a.r
	perRun := blocks(r.run, sumBlock)
	last := len(r.reduced) - 1
	rows, stride := r.reduced[last], r.reducedStrides[last]
	pieces := product(r.reduced[:last])
	sums := spareSums.Get().(*columnSums)
	var at, in cursor
	for b := lo; b < hi; b++ {
		at.seek(r.kept, b/perRun)
		col := b % perRun * sumBlock
		width := min(sumBlock, r.run-col)
		base := at.offset(r.keptStrides) + col
		*sums = columnSums{}
		in.seek(r.reduced, 0)
		for range pieces {
			sums.add(a.x[base+in.offset(r.reducedStrides):], rows, stride, width)
			in.advance(r.reduced, rows)
		}
		for i, sum := range sums[:width] {
			a.out[b/perRun*r.run+col+i] = float32(sum / float64(a.div))
		}
	}
	spareSums.Put(sums)
}

// sumInts makes all results, one element of x after the other.
func sumInts(a *sumArgs[int64]) {
	r := a.r
	run, blocks := r.run, 1
	if r.inner {
		run, blocks = 1, r.run
	}
	clear(a.out)
	var at, in cursor
	at.seek(r.kept, 0)
	for o := 0; o < r.out; o += run {
		base := at.offset(r.keptStrides)
		in.seek(r.reduced, 0)
		for range product(r.reduced) {
			x := a.x[base+in.offset(r.reducedStrides):][:r.run]
			for i := range blocks {
				for j := range run {
					a.out[o+j] += x[i*run+j]
				}
			}
			in.advance(r.reduced, 1)
		}
		at.advance(r.kept, 1)
	}
	for i := range a.out {
		a.out[i] /= int64(a.div)
	}
}
