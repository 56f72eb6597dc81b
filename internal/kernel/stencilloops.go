package kernel

// stencilLoops are the inner loops of convolutions of a channel by itself. The
// first index of the arrays is for kernels of 3 by 3 and of 5 by 5, the second
// for strides of 1 and 2.
type stencilLoops struct {
	lanes int // of a vector; 0 if plain loops must do

	// slide computes outputs. spread computes gradients of inputs where the
	// stride is 2: a row and a column of x make two of y.
	slide  [2][2]stencilSlide
	spread [2]stencilSlide

	// correlate adds up what gradients of weights are the totals of, for so many
	// rows of the kernel at a time.
	correlate [2][2]stencilCorrelate
	height    [2]int

	// narrow is for images no wider than its vectors, and for outputs and weights with
	// a stride of 2, where two vectors are read for each that is computed; nil if there
	// are no other loops than these.
	narrow *stencilLoops

	// totals adds up each of n vectors of sums. If add is not 0, it adds to out.
	totals func(out, sums *float32, n, add int)
}

// stencilSlide computes rows of y, as wide as a vector or two, in so many frames.
// The first of them meets first the row of that number of x, which has height
// rows: others are zeros. The first column meets first the one that is col behind
// x. weights has those of the kernel and, behind them, what sums start from;
// masks has those of the loads for each row, and of the stores, which all lanes
// take if whole is 1. The cache is asked for what lies ahead. Distances are in bytes.
type stencilSlide func(y *float32, rowY int, x *float32, col, rowX, first, height, rows, frames, frameX, frameY, aheadX, aheadY int, weights *float32, masks *uint32, whole int)

// stencilCorrelate adds the products of gradients y with what they meet in x to
// sums, of which there is a vector for each tap. Arguments are as above.
type stencilCorrelate func(y *float32, rowY int, x *float32, col, rowX, first, height, rows, frames, frameX, frameY, aheadX, aheadY int, sums *float32, masks *uint32)

// stencilFor returns the loops for images of a width.
func (t *table) stencilFor(width, stride int) *stencilLoops {
	if n := t.stencil.narrow; n != nil && (width <= n.lanes || stride == 2) {
		return n
	}
	return &t.stencil
}
