package kernel

import (
	"fmt"
	"math"
	"sync"
)

// sumLoops are loops that add up in float64, in several sums that need not wait
// for one another.
type sumLoops struct {
	sum, sizes, squares func(x []float32) float64              // of x, |x| and x²
	distances           func(x, y []float32) float64           // of (x-y)²
	squaresKept         func(x []float32, keep []bool) float64 // a multiple of 16 elements

	// rows computes the sum of each row of n elements, divided by div. Rows lie
	// stride elements apart.
	rows func(out, x []float32, n, stride int, div float64)

	// columns adds up rows, stride elements apart, into sums, which has room for the
	// next multiple of 16 elements. There is at least one row.
	columns func(sums []float64, x []float32, rows, stride int)
}

// sumPiece is how many elements are added up in one go: loops in assembly cannot
// be interrupted.
const sumPiece = 1 << 16

// total is the sum of x.
func total(x []float32) float64 {
	sum := 0.0
	for ; len(x) > sumPiece; x = x[sumPiece:] {
		sum += active.sums.sum(x[:sumPiece])
	}
	return sum + active.sums.sum(x)
}

var totals = splitSum(func(a *pointArgs, lo, hi int) float64 { return total(a.x[lo:hi]) })

// totalOfAll is total in several threads.
func totalOfAll(x []float32) float64 {
	return totals.do(len(x), max(chunk, len(x)/lossParts), pointArgs{x: x})
}

// columnSums are the sums of neighbouring columns.
type columnSums [sumBlock]float64

// sumBlock is how many columns are summed up side by side.
const sumBlock = 64

// spareSums holds sums that are not in use: as arguments of a loop that is chosen
// at run time they cannot lie on the stack.
var spareSums = sync.Pool{New: func() any { return new(columnSums) }}

// add adds up rows of so many columns.
func (s *columnSums) add(x []float32, rows, stride, columns int) {
	const most = sumPiece / sumBlock
	for ; rows > most; rows -= most {
		active.sums.columns(s[:columns], x, most, stride)
		x = x[most*stride:]
	}
	if rows > 0 {
		active.sums.columns(s[:columns], x, rows, stride)
	}
}

// SumSizes is Σ|x|, SumSquares Σx², both added up in float64. They are for parts
// of at most some thousand elements, in the thread that calls them.
func SumSizes(x []float32) float64   { return active.sums.sizes(x) }
func SumSquares(x []float32) float64 { return active.sums.squares(x) }

// SumSquaresKept is SumSquares of the elements that are kept.
func SumSquaresKept(x []float32, keep []bool) float64 {
	if len(x) != len(keep) {
		panic(fmt.Sprintf("kernel: got %d elements and %d flags", len(x), len(keep)))
	}
	whole := len(x) &^ 15
	return active.sums.squaresKept(x[:whole], keep[:whole]) + sumsGeneric.squaresKept(x[whole:], keep[whole:])
}

// Finite reports whether x holds neither a NaN nor an infinity: the sum of finite
// sizes is finite in float64.
func Finite(x []float32) bool {
	sum := sizes.do(len(x), max(chunk, len(x)/lossParts), pointArgs{x: x})
	return sum <= math.MaxFloat64 // false for NaN
}

var sizes = splitSum(func(a *pointArgs, lo, hi int) float64 {
	sum := 0.0
	for ; lo < hi; lo += sumPiece {
		sum += active.sums.sizes(a.x[lo:min(lo+sumPiece, hi)])
	}
	return sum
})

var sumsGeneric = sumLoops{
	sum: sumGeneric,
	sizes: func(x []float32) float64 {
		var s0, s1 float64
		for ; len(x) >= 2; x = x[2:] {
			s0 += float64(max(x[0], -x[0]))
			s1 += float64(max(x[1], -x[1]))
		}
		for _, v := range x {
			s0 += float64(max(v, -v))
		}
		return s0 + s1
	},
	// A product of two float32 is exact in float64.
	squares: func(x []float32) float64 {
		var s0, s1 float64
		for ; len(x) >= 2; x = x[2:] {
			s0 += float64(x[0]) * float64(x[0])
			s1 += float64(x[1]) * float64(x[1])
		}
		for _, v := range x {
			s0 += float64(v) * float64(v)
		}
		return s0 + s1
	},
	distances: func(x, y []float32) float64 {
		sum := 0.0
		for i, v := range x {
			d := float64(v) - float64(y[i])
			sum += d * d
		}
		return sum
	},
	squaresKept: func(x []float32, keep []bool) float64 {
		sum := 0.0
		for i, v := range x {
			if keep[i] {
				sum += float64(v) * float64(v)
			}
		}
		return sum
	},
	rows: func(out, x []float32, n, stride int, div float64) {
		for r := range out {
			out[r] = float32(sumGeneric(x[r*stride:][:n]) / div)
		}
	},
	columns: func(sums []float64, x []float32, rows, stride int) {
		for r := range rows {
			for i, v := range x[r*stride:][:len(sums)] {
				sums[i] += float64(v)
			}
		}
	},
}

// sumGeneric keeps four sums, so that additions need not wait for one another.
func sumGeneric(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += float64(x[0])
		s1 += float64(x[1])
		s2 += float64(x[2])
		s3 += float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return (s0 + s1) + (s2 + s3)
}
