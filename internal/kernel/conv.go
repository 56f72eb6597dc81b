package kernel

import "fmt"

// Conv is a convolution, as neural networks use the word: no flipping. Inputs
// are N images of C channels, outputs N of M. Channels fall into Groups; an
// output channel reads those of its group only.
type Conv struct {
	N, C, M, Groups int
	Window

	stencil *stencil // nil where it is not one
	mixing  *mixing  // the same
	patches struct { // nil where the others are faster
		forward, backward *patching
		weights           *patchingGradient
	}
	forward, backward *sweep // nil where others or plain loops do it
	correlation       *correlation
}

// NewConv plans a convolution of n images of c channels to m channels.
func NewConv(n, c, m, groups int, w Window) *Conv {
	v := &Conv{N: n, C: c, M: m, Groups: groups, Window: w}
	if v.stencil = newStencil(active, v); v.stencil != nil {
		return v
	}
	if v.mixing = newMixing(&active.sweep, v); v.mixing != nil {
		if v.mixing.parts == 0 {
			v.correlation = newCorrelation(&active.sweep, v)
		}
		return v
	}
	v.choosePatches()
	v.planSweeps()
	return v
}

// planSweeps plans what patches do not do.
func (c *Conv) planSweeps() {
	if c.patches.forward == nil {
		c.forward = newSweep(&active.sweep, c, false)
	}
	if c.patches.backward == nil {
		c.backward = newSweep(&active.sweep, c, true)
	}
	if c.patches.weights == nil {
		c.correlation = newCorrelation(&active.sweep, c)
	}
}

// choosePatches makes patches do what they do faster, by measurements.
func (c *Conv) choosePatches() {
	if active.winograd.lanes < 8 {
		return
	}
	p := &c.patches
	if c.winograds() {
		if c.patchGain(patchCost) > 1 {
			p.forward, p.backward = newWinograd(c, false), newWinograd(c, true)
		}
		if c.patchGain(patchGradientCost) > 1 {
			p.weights = newWinogradGradient(c)
		}
		return
	}
	if fewest := min(c.C, c.M); !c.plain() && fewest >= 64 && fewest*c.taps() >= 128 {
		p.forward, p.backward, p.weights = newDirectPatching(c, false), newDirectPatching(c, true), newDirectGradient(c)
	}
}

// What it takes to transform a patch, for each channel, in cycles in which 16
// lanes multiply.
const patchCost, patchGradientCost = 20, 25

// patchGain estimates how many times as fast as direct sums patches are: 1 where
// they are not transformed.
func (c *Conv) patchGain(transform int) float64 {
	if !c.winograds() {
		return 1
	}
	patches := c.N * blocks(c.Out[1], patchStep) * blocks(c.Out[2], patchStep)
	products := c.C * c.M
	lanes := active.winograd.lanes
	channels := (blocks(c.C, lanes) + blocks(c.M, lanes)) * lanes
	direct := 6 * products * c.N * c.outputs() / (patchStep * patchStep)
	return float64(direct) / float64(patches*(products*5/4+transform*channels)+9*products)
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

// empty tells whether the epilogue does nothing.
func (e *Epilogue) empty() bool {
	return e.Row == nil && e.Col == nil && e.Add == nil && e.Gate == nil && !e.Clamp
}

// Forward computes the output y of input x (N, C, spatial) under weights w
// (M, C/Groups, kernel). Rows of the epilogue are output channels: its Row is
// the bias.
func (c *Conv) Forward(x, w, y []float32, ep Epilogue) {
	c.check(x, w, y)
	c.checkEpilogue(&ep, len(y), c.M)
	if c.stencil != nil {
		c.stencil.run(&c.stencil.forward, x, w, y, ep)
		return
	}
	if c.mixing != nil {
		c.mixing.forward.run(x, w, y, ep)
		return
	}
	if c.patches.forward != nil {
		c.patches.forward.run(x, w, y, ep)
		return
	}
	if c.forward != nil {
		c.forward.run(x, w, y, ep)
		return
	}
	c.plainForward(x, w, ep.Row, y)
	ep.Row = nil
	ep.finish(y)
}

// BackwardData computes the gradient dx of the input from the gradient dy of
// the output. Rows of the epilogue are input channels.
func (c *Conv) BackwardData(dy, w, dx []float32, ep Epilogue) {
	c.check(dx, w, dy)
	c.checkEpilogue(&ep, len(dx), c.C)
	if c.stencil != nil {
		c.stencil.run(&c.stencil.backward, dy, w, dx, ep)
		return
	}
	if c.mixing != nil {
		c.mixing.backward.run(dy, w, dx, ep)
		return
	}
	if c.patches.backward != nil {
		c.patches.backward.run(dy, w, dx, ep)
		return
	}
	if c.backward != nil {
		c.backward.run(dy, w, dx, ep)
		return
	}
	c.plainBackwardData(dy, w, dx)
	for i, v := range ep.Row {
		for n := range c.N {
			plane := dx[(n*c.C+i)*c.pixels():][:c.pixels()]
			for j := range plane {
				plane[j] += v
			}
		}
	}
	ep.Row = nil
	ep.finish(dx)
}

// finish applies an epilogue without Row to a whole result.
func (e *Epilogue) finish(y []float32) {
	if !e.empty() {
		e.apply(y, 0, 0, 0)
	}
}

// Scratch is the number of elements of scratch that BackwardWeights needs.
func (c *Conv) Scratch() int {
	if c.stencil != nil {
		return 0
	}
	if c.patches.weights != nil {
		return c.patches.weights.scratch()
	}
	if c.mixing != nil && c.mixing.parts > 0 {
		return c.mixing.scratch()
	}
	if c.correlation != nil {
		return c.correlation.scratch()
	}
	return c.plainScratch()
}

// BackwardWeights computes the gradient dw of the weights from the input and
// the gradient dy of the output. Scratch has at least Scratch elements.
func (c *Conv) BackwardWeights(x, dy, dw, scratch []float32) {
	c.check(x, dw, dy)
	if c.stencil != nil {
		c.stencil.gradient(x, dy, dw)
		return
	}
	if c.patches.weights != nil {
		c.patches.weights.run(x, dy, dw, scratch)
		return
	}
	if c.mixing != nil && c.mixing.parts > 0 {
		c.mixing.gradient(x, dy, dw, scratch)
		return
	}
	if c.correlation != nil {
		c.correlation.run(x, dy, dw, scratch)
		return
	}
	c.plainBackwardWeights(x, dy, dw, scratch)
}
