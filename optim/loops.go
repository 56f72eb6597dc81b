package optim

import (
	"math"

	"finetune/internal/kernel"
)

// What loops of several rules are made of.

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// The sign of a number is as good as random, and a branch on it is mispredicted
// half of the time; so the following do without.

// sign is -1, 0 or 1, and NaN where x is not finite.
func sign(x float32) float32 {
	const one = 0x3f800000
	return math.Float32frombits((one|math.Float32bits(x)&signBit)&all(x != 0)) + (x - x)
}

// towards moves v towards a target by t and stops there.
func towards(v, target, t float32) float32 {
	d := math.Float32bits(v - target)
	left := math.Float32bits(math.Float32frombits(d&^signBit) - t)
	left &^= uint32(int32(left) >> 31) // 0 where negative
	return target + math.Float32frombits(left|d&signBit&all(left != 0))
}

// all is all bits if b is true, else none.
func all(b bool) uint32 {
	var one uint32
	if b {
		one = 1
	}
	return -one
}

// larger is the larger of two numbers that are not negative, or NaN if one is. Their
// bits have the same order, which takes less time to find out.
func larger(x, y float32) float32 {
	return math.Float32frombits(max(math.Float32bits(x), math.Float32bits(y)))
}

// pick is x if b is true, else y.
func pick(b bool, x, y float32) float32 {
	return math.Float32frombits(math.Float32bits(x)&all(b) | math.Float32bits(y)&^all(b))
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
