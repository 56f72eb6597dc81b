package kernel

import "fmt"

// Arithmetic is an operation on two numbers.
type Arithmetic int

// The operations. Dividing int64 truncates toward zero and panics on a zero
// divisor, as Go does.
const (
	Add Arithmetic = iota
	Sub
	Mul
	Div
)

// Broadcast pairs the elements of two arrays by numpy's rules: shapes are
// aligned at the last axis, and an axis of one element repeats.
type Broadcast struct {
	shape, a, b []int // merged axes of the result, strides of the operands
	size        int
	na, nb      int // elements of the operands
}

// NewBroadcast plans the walk for operands that broadcast to the result's
// shape; that they do is the caller's duty to check.
func NewBroadcast(out, a, b []int) Broadcast {
	shape, s := mergeAxes(out, spread(out, a), spread(out, b))
	return Broadcast{shape, s[0], s[1], product(out), product(a), product(b)}
}

// spread gives the strides of an array of the given shape at the axes of out.
func spread(out, shape []int) []int {
	s := make([]int, len(out))
	lead := len(out) - len(shape)
	for k, stride := range Strides(shape) {
		if shape[k] != 1 {
			s[lead+k] = stride
		}
	}
	return s
}

// Combine computes out = a op b element by element. out may be a or b where
// that operand is not repeated.
//
// Merged axes leave long runs in which each operand either moves or stands
// still: equal shapes and scalars are one run, a bias over rows is a run per
// row, and a value per channel is a run per channel.
func Combine[T Number](op Arithmetic, out, a, b []T, w *Broadcast) {
	if len(out) != w.size || len(a) != w.na || len(b) != w.nb {
		panic(fmt.Sprintf("kernel: got %d, %d and %d elements to combine, want %d, %d and %d",
			len(out), len(a), len(b), w.size, w.na, w.nb))
	}
	if w.size == 0 {
		return
	}
	switch out := any(out).(type) {
	case []float32:
		combineFloats.do(w.size, chunk, combineArgs[float32]{op, out, any(a).([]float32), any(b).([]float32), w})
	case []int64:
		combineRuns(&combineArgs[int64]{op, out, any(a).([]int64), any(b).([]int64), w}, 0, w.size)
	}
}

type combineArgs[T Number] struct {
	op        Arithmetic
	out, a, b []T
	w         *Broadcast
}

var combineFloats = split(combineRuns[float32])

func combineRuns[T Number](c *combineArgs[T], lo, hi int) {
	var at cursor
	w := c.w
	last := at.seek(w.shape, lo)
	for lo < hi {
		run := min(w.shape[last]-at[last], hi-lo)
		pa, pb := at.offset(w.a), at.offset(w.b)
		out := c.out[lo : lo+run]
		switch {
		case w.a[last] == 0:
			combineLeft(c.op, out, c.a[pa], c.b[pb:pb+run])
		case w.b[last] == 0:
			combineRight(c.op, out, c.a[pa:pa+run], c.b[pb])
		default:
			combineBoth(c.op, out, c.a[pa:pa+run], c.b[pb:pb+run])
		}
		lo += run
		at.advance(w.shape, run)
	}
}

func combineBoth[T Number](op Arithmetic, out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	switch op {
	case Add:
		for i := range out {
			out[i] = a[i] + b[i]
		}
	case Sub:
		for i := range out {
			out[i] = a[i] - b[i]
		}
	case Mul:
		for i := range out {
			out[i] = a[i] * b[i]
		}
	case Div:
		for i := range out {
			out[i] = a[i] / b[i]
		}
	}
}

func combineLeft[T Number](op Arithmetic, out []T, a T, b []T) {
	b = b[:len(out)]
	switch op {
	case Add:
		for i := range out {
			out[i] = a + b[i]
		}
	case Sub:
		for i := range out {
			out[i] = a - b[i]
		}
	case Mul:
		for i := range out {
			out[i] = a * b[i]
		}
	case Div:
		for i := range out {
			out[i] = a / b[i]
		}
	}
}

func combineRight[T Number](op Arithmetic, out, a []T, b T) {
	a = a[:len(out)]
	switch op {
	case Add:
		for i := range out {
			out[i] = a[i] + b
		}
	case Sub:
		for i := range out {
			out[i] = a[i] - b
		}
	case Mul:
		for i := range out {
			out[i] = a[i] * b
		}
	case Div:
		for i := range out {
			out[i] = a[i] / b
		}
	}
}
