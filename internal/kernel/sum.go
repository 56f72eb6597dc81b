package kernel

import "fmt"

// sumLoops are loops that add up in float64, in several sums that need not wait
// for one another.
type sumLoops struct {
	sum, sizes, squares func(x []float32) float64              // of x, |x| and x²
	distances           func(x, y []float32) float64           // of (x-y)²
	squaresKept         func(x []float32, keep []bool) float64 // a multiple of 16 elements

	// Sums of columns: sums += x or x·y. There is room for the next multiple of 16
	// elements.
	addTo         func(sums []float64, x []float32)
	addProductsTo func(sums []float64, x, y []float32)
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

var sumsGeneric = sumLoops{
	sum: total,
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
	addTo: func(sums []float64, x []float32) {
		for i, v := range x {
			sums[i] += float64(v)
		}
	},
	addProductsTo: func(sums []float64, x, y []float32) {
		for i, v := range x {
			sums[i] += float64(v) * float64(y[i])
		}
	},
}
