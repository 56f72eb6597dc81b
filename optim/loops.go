package optim

import (
	"math"

	"finetune/internal/kernel"
)

// What loops of several rules are made of.

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// sign is -1, 0 or 1; that of NaN is NaN.
func sign(x float32) float32 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0, or NaN
}

// size is |x|.
func size(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ signBit) }

// mean is that of x.
func mean(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(len(x))
}

// norm is ‖x‖₂.
func norm(x []float32) float64 {
	return math.Sqrt(chunkSum(len(x), func(lo, hi int) float64 { return kernel.SumSquares(x[lo:hi]) }))
}
