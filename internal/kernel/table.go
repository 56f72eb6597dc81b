package kernel

// table holds the inner loops that exist in several versions. A version may
// round differently from the others, but has no other visible difference.
//
// The functions are written for the code that calls them: they check no
// lengths. Arguments escape, so pointers to locals would be allocated.
type table struct {
	name string // of the instruction set

	// peak does so many rounds of independent multiply-adds in registers, and
	// returns the number of floating point operations.
	peak func(rounds int) int

	multiply func(t *tile) // B as it is
	dots     func(t *tile) // B transposed
	lanes    int           // of the vectors in them; 0 if dots never pay off
	tall     int           // rows of the highest tile of multiply

	packRows    func(dst, src []float32, k, cols, stride, pitch int)
	packColumns func(dst, src []float32, k, cols, stride, pitch int)

	sweep    sweepLoops
	stencil  stencilLoops
	winograd winogradLoops
	pool     poolLoops
	sparse   sparseLoops

	arithmetic [Div + 1]combination[float32]
	point      pointFuncs
	sums       sumLoops
	planes     planeLoops
	softmax    softmaxLoops
	layerNorm  layerNormLoops
	cell       cellLoops
	attention  attentionLoops
	rank       rankLoops
	view       viewLoops

	// chain runs an update for the first elements, and says for how many.
	chain func(u *Update) int
}

// generic is the reference for the others. It has no loops for convolution and
// pooling, which are done without a plan then: by plain.go and pooling.go.
var generic = table{
	name: "generic",
	peak: peakGeneric,

	multiply: multiplyGeneric,
	dots:     dotsGeneric,
	tall:     14,

	packRows:    packRowsGeneric,
	packColumns: packColumnsGeneric,
	sparse:      sparseGeneric,

	arithmetic: arithmeticGeneric[float32](),
	point:      pointGeneric,
	sums:       sumsGeneric,
	planes:     planesGeneric,
	softmax:    softmaxGeneric,
	layerNorm:  layerNormGeneric,
	cell:       cellGeneric,
	attention:  attentionGeneric,
	winograd:   winogradGeneric,
	rank:       rankGeneric,
	view:       viewGeneric,
	chain:      func(*Update) int { return 0 },
}
