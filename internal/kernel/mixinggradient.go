package kernel

// A mixingGradient computes the gradient of the weights of a convolution with a
// kernel of one element: a product for each image, summed up in several parts.
type mixingGradient struct {
	partialSums
	sources, results, area int
	x, dy                  []int // where images begin
}

// newMixingGradient plans it. It returns nil for convolutions of another kind, and
// where products of so few matrices would leave threads with nothing to do.
func newMixingGradient(c *Conv) convGradient {
	if !c.mixes() {
		return nil
	}
	s := &mixingGradient{sources: c.C, results: c.M, area: c.pixels()}
	s.weights = c.C * c.M
	products := max(1, c.M/minRows) * max(1, c.C/minCols)
	for s.parts = 1; s.parts < c.N && (c.N%s.parts > 0 || s.parts*products < 2*mixingTasks); s.parts++ {
	}
	if s.parts*products < mixingTasks && c.N*s.area*s.weights > taskWork {
		return nil
	}
	for i := range c.N {
		s.x, s.dy = append(s.x, i*c.C*s.area), append(s.dy, i*c.M*s.area)
	}
	return s
}

// run computes the gradient dw of the weights from inputs x and gradients dy of
// the outputs.
func (s *mixingGradient) run(x, dy, dw, scratch []float32) {
	sums := s.of(dw, scratch)
	GemmBatch(false, true, s.results, s.sources, s.area, 1, dy, s.dy, x, s.x, sums)
	s.addTo(dw, sums)
}
