package kernel

// Winograd's convolutions by kernels of 3 by 3 elements that move by one need a
// quarter of the multiplications. Images are cut into patches of 6 by 6 elements,
// which overlap by two, each for 4 by 4 results. Patches and kernels are
// transformed, so that their products point by point, added up over the channels,
// are the transformed results. See Winograd, Arithmetic Complexity of
// Computations, 1980, and Lavin and Gray, Fast Algorithms for Convolutional Neural
// Networks, 2015.
//
// One dimension of it is the product of polynomials, by their values at as many
// points as the product has coefficients. The points 0, ±5/8, ±3/2 and ∞ are of
// those with which the error is small, see Barabasz et al., Error Analysis and
// Improving the Accuracy of Winograd Convolution for Deep Neural Networks, 2020:
// two to six times that of a direct sum, half of what 0, ±1, ±2 and ∞ have.
const (
	patchEdge   = 6                     // of sources
	patchStep   = 4                     // of results
	patchPoints = patchEdge * patchEdge // of a transformed patch
)

// winograds tells whether a convolution is of the kind.
func (c *Conv) winograds() bool {
	one := [3]int{1, 1, 1}
	return c.Kernel == [3]int{1, 3, 3} && c.Stride == one && c.Dilation == one && c.Groups == 1 && c.Pad[1] <= 2 && c.Pad[2] <= 2
}

// winogradGrids are those of inputs and outputs.
func winogradGrids(c *Conv) (inputs, outputs patchGrid) {
	step, gap := [2]int{patchStep, patchStep}, [2]int{1, 1}
	count := [2]int{blocks(c.Out[1], patchStep), blocks(c.Out[2], patchStep)}
	inputs = patchGrid{
		size: [2]int(c.In[1:]), count: count, first: [2]int{-c.Pad[1], -c.Pad[2]},
		step: step, edge: [2]int{patchEdge, patchEdge}, gap: gap,
	}
	outputs = patchGrid{size: [2]int(c.Out[1:]), count: count, step: step, edge: step, gap: gap}
	return inputs, outputs
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

// cutWinograd makes patches that are transformed.
func (s *patching) cutWinograd(c *Conv) {
	if s.backward { // the same with gradients for inputs, and taps in reverse order
		back := *c
		back.In, back.Out = c.Out, c.In
		back.Pad = [3]int{0, 2 - c.Pad[1], 2 - c.Pad[2]}
		c = &back
	}
	s.source, s.result = winogradGrids(c)
	l := &active.winograd
	s.read = patchMove{l.source, patchPoints, patchPoints}
	s.weights = patchMove{l.weights, s.taps, patchPoints}
	s.write = patchMove{l.result, patchPoints, patchStep * patchStep}
	for i := range patchPoints {
		s.terms = append(s.terms, patchTerm{i, i, i})
	}
}

// cutWinograd makes patches that are transformed.
func (s *patchingGradient) cutWinograd(c *Conv) {
	s.source, s.gradient = winogradGrids(c)
	l := &active.winograd
	s.readX, s.readY = patchMove{l.source, patchPoints, patchPoints}, patchMove{l.gradient, patchStep * patchStep, patchPoints}
	s.weights = patchMove{l.weightGradient, patchPoints, s.taps}
	for i := range patchPoints {
		s.terms = append(s.terms, patchTerm{i, i, i})
	}
}
