package optim

import (
	"math"

	"finetune/internal/kernel"
)

// chunkSum adds up f over chunks of n elements, of fixed length, in parallel, and then the
// chunks in order, so that the sum is the same for any number of threads. f gets
// the bounds of its chunk.
func chunkSum(n int, f func(lo, hi int) float64) float64 {
	parts := make([]float64, (n+taskLen-1)/taskLen)
	kernel.Parallel(len(parts), func(i int) {
		parts[i] = f(i*taskLen, min((i+1)*taskLen, n))
	})
	var sum float64
	for _, part := range parts {
		sum += part
	}
	return sum
}

func sumAbs(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += math.Abs(float64(v))
	}
	return sum
}

// sumSquares is exact in each term: the product of two float32 fits a float64.
func sumSquares(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

// sumSquaresKept leaves out what is pruned.
func sumSquaresKept(x []float32, keep []bool) float64 {
	var sum float64
	for i, v := range x {
		if keep[i] {
			sum += float64(v) * float64(v)
		}
	}
	return sum
}
