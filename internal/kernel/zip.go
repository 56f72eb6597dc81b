package kernel

import (
	"fmt"
	"sync"
)

// zipBlock is the number of elements that a function of runs is given at most:
// few enough to write out an operand that repeats.
const zipBlock = 256

// pairing joins the elements of arrays by numpy's rules, as Broadcast does.
type pairing struct {
	shape   []int   // merged axes of the result
	strides [][]int // of each operand
	lens    []int
	size    int
}

func newPairing(out []int, operands ...[]int) pairing {
	p := pairing{size: product(out)}
	strides := make([][]int, len(operands))
	for i, shape := range operands {
		strides[i] = spread(out, shape)
		p.lens = append(p.lens, product(shape))
	}
	p.shape, p.strides = mergeAxes(out, strides...)
	return p
}

// check holds the lengths of the result and of an operand to the plan.
func (p *pairing) check(out, operand, n int) {
	if out != p.size || n != p.lens[operand] {
		panic(fmt.Sprintf("kernel: got %d elements for operand %d, and %d results, want %d and %d",
			n, operand, out, p.lens[operand], p.size))
	}
}

// run is the elements of an operand from the cursor on: in place where they
// follow each other, written to spare where one repeats.
func run[T Number](x []T, at, stride, n int, spare *[zipBlock]T) []T {
	if stride == 1 {
		return x[at : at+n]
	}
	for i := range n {
		spare[i] = x[at]
		at += stride
	}
	return spare[:n]
}

// A Zip computes each element of its result from one element of either operand,
// paired by numpy's rules: shapes are aligned at the last axis, and an axis of
// one element repeats.
type Zip[T, R Number] struct {
	pairing
	f     func(out []R, a, b []T)
	split *splitter[zipArgs[T, R]]
	spare sync.Pool // of *[2][zipBlock]T: what f is given escapes
}

type zipArgs[T, R Number] struct {
	out  []R
	a, b []T
}

// NewZip plans f, which is given runs of equal length and fills the first, for
// operands that broadcast to the result's shape; that they do is the caller's
// duty to check.
func NewZip[T, R Number](out, a, b []int, f func(out []R, a, b []T)) *Zip[T, R] {
	z := &Zip[T, R]{pairing: newPairing(out, a, b), f: f}
	z.split = split(z.do)
	z.spare.New = func() any { return new([2][zipBlock]T) }
	return z
}

// Do computes out from a and b. It may be either of them where that operand is
// not repeated.
func (z *Zip[T, R]) Do(out []R, a, b []T) {
	z.check(len(out), 0, len(a))
	z.check(len(out), 1, len(b))
	z.split.do(z.size, chunk, zipArgs[T, R]{out, a, b})
}

func (z *Zip[T, R]) do(args *zipArgs[T, R], lo, hi int) {
	var at cursor
	spare := z.spare.Get().(*[2][zipBlock]T)
	defer z.spare.Put(spare)
	last := at.seek(z.shape, lo)
	for lo < hi {
		n := min(z.shape[last]-at[last], hi-lo, zipBlock)
		a := run(args.a, at.offset(z.strides[0]), z.strides[0][last], n, &spare[0])
		b := run(args.b, at.offset(z.strides[1]), z.strides[1][last], n, &spare[1])
		z.f(args.out[lo:lo+n], a, b)
		lo += n
		at.advance(z.shape, n)
	}
}

// A Choice takes each element of its result from one of two operands, as a
// condition says. The three are paired by numpy's rules.
type Choice[T Number] struct {
	pairing
	split *splitter[choiceArgs[T]]
}

type choiceArgs[T Number] struct {
	out, a, b []T
	c         []int64
}

// NewChoice plans the choice for shapes that broadcast to the result's.
func NewChoice[T Number](out, c, a, b []int) *Choice[T] {
	s := &Choice[T]{pairing: newPairing(out, c, a, b)}
	s.split = split(s.do)
	return s
}

// Do computes out: a where c is not 0, otherwise b. It may be a or b where that
// operand is not repeated.
func (s *Choice[T]) Do(out []T, c []int64, a, b []T) {
	s.check(len(out), 0, len(c))
	s.check(len(out), 1, len(a))
	s.check(len(out), 2, len(b))
	s.split.do(s.size, chunk, choiceArgs[T]{out, a, b, c})
}

func (s *Choice[T]) do(args *choiceArgs[T], lo, hi int) {
	var at cursor
	var spareA, spareB [zipBlock]T
	var spareC [zipBlock]int64
	last := at.seek(s.shape, lo)
	for lo < hi {
		n := min(s.shape[last]-at[last], hi-lo, zipBlock)
		c := run(args.c, at.offset(s.strides[0]), s.strides[0][last], n, &spareC)
		a := run(args.a, at.offset(s.strides[1]), s.strides[1][last], n, &spareA)
		b := run(args.b, at.offset(s.strides[2]), s.strides[2][last], n, &spareB)
		out := args.out[lo : lo+n]
		for i := range out {
			if c[i] != 0 {
				out[i] = a[i]
			} else {
				out[i] = b[i]
			}
		}
		lo += n
		at.advance(s.shape, n)
	}
}
