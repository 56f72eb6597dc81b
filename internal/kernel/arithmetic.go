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
		combineFloats.do(w.size, chunk, combineArgs[float32]{&active.arithmetic[op], out, any(a).([]float32), any(b).([]float32), w})
	case []int64:
		combineRuns(&combineArgs[int64]{&intArithmetic[op], out, any(a).([]int64), any(b).([]int64), w}, 0, w.size)
	}
}

// combination is an operation on rows of n elements, which lie strideA and
// strideB apart in the operands and side by side in out. The three differ in
// what a row of an operand is: n elements, or one that repeats.
type combination[T Number] struct {
	both  func(out, a, b []T, n, strideA, strideB int)
	left  func(out, a, b []T, n, strideA, strideB int) // a repeats
	right func(out, a, b []T, n, strideA, strideB int) // b repeats
}

type combineArgs[T Number] struct {
	rows      *combination[T]
	out, a, b []T
	w         *Broadcast
}

var (
	combineFloats = split(combineRuns[float32])
	intArithmetic = arithmeticGeneric[int64]()
)

func combineRuns[T Number](c *combineArgs[T], lo, hi int) {
	var at cursor
	w := c.w
	for lo < hi {
		last := at.seek(w.shape, lo)
		n := min(w.shape[last]-at[last], hi-lo)
		rows, strideA, strideB := 1, 0, 0
		if last > 0 && n == w.shape[last] {
			rows = min(w.shape[last-1]-at[last-1], (hi-lo)/n)
			strideA, strideB = w.a[last-1], w.b[last-1]
		}
		out, a, b := c.out[lo:lo+rows*n], c.a[at.offset(w.a):], c.b[at.offset(w.b):]
		switch {
		case w.a[last] == 0:
			c.rows.left(out, a, b, n, strideA, strideB)
		case w.b[last] == 0:
			c.rows.right(out, a, b, n, strideA, strideB)
		default:
			c.rows.both(out, a, b, n, strideA, strideB)
		}
		lo += rows * n
	}
}

// add adds x to out.
func add(out, x []float32) { active.arithmetic[Add].both(out, out, x, len(out), 0, 0) }

// multiply computes a·b.
func multiply(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for j := range out {
		out[j] = a[j] * b[j]
	}
}
