package kernel

// planeLoops are loops over n planes of size elements, stride elements apart.
// There is at least one element. Arrays begin at the first plane; some functions
// leave out some of them.
type planeLoops struct {
	sum     func(x []float32, n, stride, size int) float64
	moments func(x []float32, n, stride, size int, around float32) (sum, squares float64) // Σ(x-around) and Σ(x-around)²

	// y = (x - mean)·factor + shift; [1] with limits; [][1] with add. With stream it
	// goes past the caches, if it can.
	normalize [2][2]normalizeFunc

	// The others see dy as 0 where the result is not between low and high, by
	// gate. gradSums: Σdy and Σdy·(x - mean). grad: dx = factor·dy. trainGrad: dx
	// = factor·(dy - offset - (x - mean)·slope). With gateY both store dy to dadd
	// unless it is nil; otherwise stream is as above.
	gradSums  [gates]gradSumsFunc
	grad      [gates]inputGradFunc
	trainGrad [gates]inputGradFunc
}

type (
	normalizeFunc = func(y, x, add []float32, n, stride, size int, mean, factor, shift, low, high float32, stream bool)
	gradSumsFunc  = func(x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high float32) (sum, product float64)
	inputGradFunc = func(dx, dadd, x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high, offset, slope float32, stream bool)
)

// gate is how a backward pass finds out which results the limits hold.
type gate int

const (
	gateNone gate = iota // none
	gateX                // it computes them again
	gateY                // it reads them
	gates
)
