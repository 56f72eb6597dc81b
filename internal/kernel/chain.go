package kernel

import "fmt"

// The functions here are links of an optimizer's chain (package optim). Each
// works on one block of a parameter that lies in the L1 cache, in the thread
// that calls it. They round after each operation, so that the results are the
// same bits with every instruction set.

// chainFuncs are the loops of the functions here.
type chainFuncs struct {
	addScaled, addSigns, shrink, average, averageSquares, normalized pointFunc

	clearDropped func(x []float32, keep []bool)
}

func checkLink(x []float32, other int) {
	if len(x) != other {
		panic(fmt.Sprintf("kernel: a block of %d elements with one of %d", len(x), other))
	}
}

// AddScaled computes x += a·y.
func AddScaled(x, y []float32, a float32) {
	checkLink(x, len(y))
	active.chain.addScaled(x, x, y, a, 0)
}

// AddSigns computes x += a·sign(y) for a >= 0, where sign(0) = 0.
func AddSigns(x, y []float32, a float32) {
	checkLink(x, len(y))
	active.chain.addSigns(x, x, y, a, 0)
}

// Multiply computes x *= a.
func Multiply(x []float32, a float32) { active.point.scale(x, x, nil, a, 0) }

// ShrinkToward0 computes sign(x)·max(|x| - a, 0), with positive zeros.
func ShrinkToward0(x []float32, a float32) { active.chain.shrink(x, x, nil, a, 0) }

// Average computes x = keep·x + add·y.
func Average(x, y []float32, keep, add float32) {
	checkLink(x, len(y))
	active.chain.average(x, x, y, keep, add)
}

// AverageSquares computes x = keep·x + add·y·y.
func AverageSquares(x, y []float32, keep, add float32) {
	checkLink(x, len(y))
	active.chain.averageSquares(x, x, y, keep, add)
}

// Normalized computes out = x/(√y/root + eps).
func Normalized(out, x, y []float32, root, eps float32) {
	checkLink(out, len(x))
	checkLink(out, len(y))
	active.chain.normalized(out, x, y, root, eps)
}

// ClearDropped sets x to 0 where keep is false, whatever it holds.
func ClearDropped(x []float32, keep []bool) {
	checkLink(x, len(keep))
	active.chain.clearDropped(x, keep)
}
