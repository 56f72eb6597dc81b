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
		a := sumArgs[float32, float64]{out, any(x).([]float32), r, float64(div)}
		if r.inner {
			sumFloatRuns.do(r.out, chunk*r.out/r.size, a)
		} else {
			n := r.blocks()
			sumFloatColumns.do(n, chunk*n/r.size, a)
		}
	case []int64:
		a := sumArgs[int64, int64]{out, any(x).([]int64), r, int64(div)}
		if r.inner {
			sumRuns(&a, 0, r.out)
		} else {
			sumColumns(&a, 0, r.blocks())
		}
	}
}

type sumArgs[T Number, A float64 | int64] struct {
	out, x []T
	r      *Reduction
	div    A
}

var (
	sumFloatRuns    = split(sumRuns[float32, float64])
	sumFloatColumns = split(sumColumns[float32, float64])
)

// sumRuns makes results lo to hi where the innermost axis is summed over.
func sumRuns[T Number, A float64 | int64](a *sumArgs[T, A], lo, hi int) {
	r := a.r
	var at, in cursor
	at.seek(r.kept, lo)
	pieces := product(r.reduced)
	for o := lo; o < hi; o++ {
		base := at.offset(r.keptStrides)
		in.seek(r.reduced, 0)
		var total A
		for range pieces {
			p := base + in.offset(r.reducedStrides)
			total += sumRun[T, A](a.x[p : p+r.run])
			in.advance(r.reduced, 1)
		}
		a.out[o] = T(total / a.div)
		at.advance(r.kept, 1)
	}
}

// sumRun keeps four totals, so additions need not wait for one another.
func sumRun[T Number, A float64 | int64](x []T) A {
	var s0, s1, s2, s3 A
	for ; len(x) >= 4; x = x[4:] {
		s0 += A(x[0])
		s1 += A(x[1])
		s2 += A(x[2])
		s3 += A(x[3])
	}
	for _, v := range x {
		s0 += A(v)
	}
	return (s0 + s1) + (s2 + s3)
}

// sumBlock is how many neighbouring results are summed at a time where the
// innermost axis is kept.
const sumBlock = 256

func (r *Reduction) blocks() int {
	return product(r.kept) * blocks(r.run, sumBlock)
}

// sumColumns makes blocks lo to hi where the innermost axis is kept.
func sumColumns[T Number, A float64 | int64](a *sumArgs[T, A], lo, hi int) {
	r := a.r
	perRun := blocks(r.run, sumBlock)
	pieces := product(r.reduced)
	var at, in cursor
	for b := lo; b < hi; b++ {
		at.seek(r.kept, b/perRun)
		col := b % perRun * sumBlock
		width := min(sumBlock, r.run-col)
		base := at.offset(r.keptStrides) + col
		var block [sumBlock]A
		totals := block[:width]
		in.seek(r.reduced, 0)
		for range pieces {
			p := base + in.offset(r.reducedStrides)
			x := a.x[p : p+width]
			for i := range totals {
				totals[i] += A(x[i])
			}
			in.advance(r.reduced, 1)
		}
		out := a.out[b/perRun*r.run+col:][:width]
		for i := range out {
			out[i] = T(totals[i] / a.div)
		}
	}
}
