package optim

import "finetune/internal/kernel"

// chunkSum adds up f over chunks of n elements, of fixed length, in parallel, and
// then the chunks in order, so that the sum is the same for any number of
// threads. f gets the bounds of its chunk.
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

// Finite reports whether x holds neither a NaN nor an infinity.
func Finite(x []float32) bool { return kernel.Finite(x) }
