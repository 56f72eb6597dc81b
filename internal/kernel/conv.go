package kernel

import "fmt"

// Conv is a convolution, as neural networks use the word: no flipping. Inputs
// are N images of C channels, outputs N of M. Channels fall into Groups; an
// output channel reads those of its group only.
type Conv struct {
	N, C, M, Groups int
	Window

	forward, backward convPass // outputs from inputs, gradients of inputs from those of outputs
	gradient          convGradient
}

// A convPass computes results y from a source x under weights w. Rows of the
// epilogue are channels of results.
type convPass interface {
	run(x, w, y []float32, ep Epilogue)
}

// A convGradient computes the gradient dw of the weights from inputs x and
// gradients dy of outputs. Its run needs as many elements as scratch says.
type convGradient interface {
	scratch() int
	run(x, dy, dw, scratch []float32)
}

// The ways to compute a convolution: a function for each that plans it, and returns
// nil for what that cannot do, or not faster than those below. The last can do all.
var (
	convPasses = []planPass{
		newStencilPass,  // small kernels, each channel by itself
		newMixingPass,   // kernels of one element
		newFastPatching, // many channels, with Winograd's transforms or none
		newSweep,        // what vectors can do at all
		newPlainPass,
	}
	convGradients = []planGradient{
		newStencilGradient,
		newMixingGradient,
		newFastPatchingGradient,
		newCorrelation,
		newPlainGradient,
	}
)

type (
	planPass     func(c *Conv, backward bool) convPass
	planGradient func(c *Conv) convGradient
)

// NewConv plans a convolution of n images of c channels to m channels.
func NewConv(n, c, m, groups int, w Window) *Conv {
	v := &Conv{N: n, C: c, M: m, Groups: groups, Window: w}
	v.plan(convPasses, convGradients)
	return v
}

// plan takes the first way there is for each part.
func (c *Conv) plan(passes []planPass, gradients []planGradient) {
	c.forward, c.backward, c.gradient = nil, nil, nil
	for _, plan := range passes {
		if c.forward == nil {
			c.forward = plan(c, false)
		}
		if c.backward == nil {
			c.backward = plan(c, true)
		}
	}
	for _, plan := range gradients {
		if c.gradient == nil {
			c.gradient = plan(c)
		}
	}
}

// weights is the number of weights of one output channel.
func (c *Conv) weights() int { return c.C / c.Groups * c.taps() }

// check panics unless the arguments have the lengths of an input, of the
// weights and of an output.
func (c *Conv) check(x, w, y []float32) {
	if len(x) != c.N*c.C*c.pixels() || len(w) != c.M*c.weights() || len(y) != c.N*c.M*c.outputs() {
		panic(fmt.Sprintf("kernel: Conv of %d images, %d to %d channels in %d groups, %+v: got %d inputs, %d weights, %d outputs",
			c.N, c.C, c.M, c.Groups, c.Window, len(x), len(w), len(y)))
	}
}

// checkEpilogue panics unless the parts of an epilogue fit to a result of so
// many elements and channels.
func (c *Conv) checkEpilogue(ep *Epilogue, elements, channels int) {
	fits := func(part []float32, want int) bool { return part == nil || len(part) == want }
	if ep.Col != nil || !fits(ep.Row, channels) || !fits(ep.Add, elements) || !fits(ep.Gate, elements) {
		panic(fmt.Sprintf("kernel: Conv: got an epilogue with %d, %d, %d and %d elements for %d channels and %d elements",
			len(ep.Row), len(ep.Col), len(ep.Add), len(ep.Gate), channels, elements))
	}
}

// Forward computes the output y of input x (N, C, spatial) under weights w
// (M, C/Groups, kernel). Rows of the epilogue are output channels: its Row is
// the bias.
func (c *Conv) Forward(x, w, y []float32, ep Epilogue) {
	c.check(x, w, y)
	c.checkEpilogue(&ep, len(y), c.M)
	c.forward.run(x, w, y, ep)
}

// BackwardData computes the gradient dx of the input from the gradient dy of
// the output. Rows of the epilogue are input channels.
func (c *Conv) BackwardData(dy, w, dx []float32, ep Epilogue) {
	c.check(dx, w, dy)
	c.checkEpilogue(&ep, len(dx), c.C)
	c.backward.run(dy, w, dx, ep)
}

// Scratch is the number of elements of scratch that BackwardWeights needs.
func (c *Conv) Scratch() int { return c.gradient.scratch() }

// BackwardWeights computes the gradient dw of the weights from the input and
// the gradient dy of the output. Scratch has at least Scratch elements.
func (c *Conv) BackwardWeights(x, dy, dw, scratch []float32) {
	c.check(x, dw, dy)
	c.gradient.run(x, dy, dw, scratch)
}
