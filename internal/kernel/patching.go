package kernel

// A patching computes a convolution, or the gradient of its inputs, as products
// of matrices over patches of images. A patch of sources is moved, or
// transformed, to points, each with all channels; so are the weights; and each
// point of a patch of results is a sum of products of the two over the channels.
// See winograd for the transforms. Where they are copies, the points of sources
// are elements, those of weights taps and those of results elements.
//
// Images are read into pixels of panelCols channels, which lie together, so that
// a vector holds channels. Places are lists of offsets, which lead outside of an
// image to a pixel of zeros.
type patching struct {
	images, sources, results int
	taps                     int
	backward                 bool // weights of a source lie together, rather than those of a result

	source, result patchGrid
	read, weights  patchMove // of sources, and of weights if they are transformed
	write          patchMove // of results
	terms          []patchTerm
	empty          []int // points of results without a term

	groups  []patchGroup
	patches int // in all groups

	// The smaller of the two factors is moved as a whole before tasks take each a
	// part of the other: a group of patches or a panel of results.
	imagesFirst bool

	v, u, m patchLayout // of sources, of a panel of weights and of one of results
	order   []int32     // of taps, in bytes
	pixels  int         // elements
}

// patchTerm is a product that is a term of a point of the results. All those of a
// point follow each other.
type patchTerm struct{ result, source, weights int }

const (
	patchWanted   = 56        // patches in a group at least
	patchElements = 128 << 10 // of their points
	weightsAtOnce = 32        // sources whose weights are moved before they are transformed, while they are in the cache
)

// patches tells whether a convolution is one of patches: of two dimensions and one
// group.
func (c *Conv) patches() bool {
	return c.Groups == 1 && c.In[0] == 1 && c.Out[0] == 1 && c.Kernel[0] == 1 && c.Pad[0] == 0 && c.N*c.C*c.M*c.pixels()*c.outputs() > 0
}

// patchesPay tells whether patches are the fastest way, by measurements, if their
// transforms take so long.
func (c *Conv) patchesPay(transform int) bool {
	if active.winograd.lanes < 8 || !c.patches() {
		return false
	}
	if c.winograds() {
		return c.patchGain(transform) > 1
	}
	fewest := min(c.C, c.M)
	return !c.plain() && fewest >= 64 && fewest*c.taps() >= 128
}

// newFastPatching is newPatching where that pays.
func newFastPatching(c *Conv, backward bool) convPass {
	if !c.patchesPay(patchCost) {
		return nil
	}
	return newPatching(c, backward)
}

// newPatching plans the outputs of a convolution or, backward, the gradients of its
// inputs. It returns nil where that is not possible or needs too much memory.
func newPatching(c *Conv, backward bool) convPass {
	if !c.patches() {
		return nil
	}
	s := &patching{images: c.N, sources: c.C, results: c.M, taps: c.taps(), backward: backward}
	s.source.size, s.result.size = [2]int(c.In[1:]), [2]int(c.Out[1:])
	if backward {
		s.sources, s.results = s.results, s.sources
		s.source.size, s.result.size = s.result.size, s.source.size
	}
	if c.winograds() {
		s.cutWinograd(c)
	} else {
		s.cutDirect(c)
	}
	s.place()
	if s.large() {
		return nil
	}
	return s
}

// place plans the memory.
func (s *patching) place() {
	points := s.read.to
	wanted := max(patchWanted, patchElements/(points*s.sources))
	s.groups = patchGroups(s.images, &s.source, &s.result, wanted)
	most := 0
	for i := range s.groups {
		g := &s.groups[i]
		s.patches += g.all()
		most = max(most, g.all())
		s.pixels = max(s.pixels, s.source.room(g.source), s.result.room(g.result))
	}
	s.pixels = max(s.pixels, 2*weightsAtOnce*s.taps*panelCols)
	s.imagesFirst = s.patches*points < s.results*s.weights.to
	if s.imagesFirst {
		most = s.patches
	}
	s.v = newPatchLayout(points, most, s.panels()*panelCols+16)
	s.m = newPatchLayout(s.write.from, most, panelCols)
	s.u = newPatchLayout(s.weights.to, s.sources, panelCols)
	if s.weights.transform == nil {
		s.u = patchLayout{point: panelCols, item: s.taps * panelCols, size: s.sources * s.taps * panelCols}
	}
	for i := range s.taps {
		if s.backward {
			i = s.taps - 1 - i
		}
		s.order = append(s.order, int32(4*panelCols*i))
	}
}

// large tells whether that is too much.
func (s *patching) large() bool {
	return max(s.v.size, s.m.size, s.pixels) > sweepLimit || !s.imagesFirst && s.u.size*blocks(s.results, panelCols) > sweepLimit
}

// panels is how many of them the sources fill.
func (s *patching) panels() int { return blocks(s.sources, panelCols) }

// cutDirect makes patches of one result each or, backward, of one from each phase
// of the stride, which are copied.
func (s *patching) cutDirect(c *Conv) {
	if s.backward {
		s.cutBackward(c)
	} else {
		s.source, s.result = directGrids(c)
		for tap := range s.taps {
			s.terms = append(s.terms, patchTerm{0, tap, tap})
		}
	}
	s.read = patchMove{nil, s.source.elements(), s.source.elements()}
	s.weights = patchMove{nil, s.taps, s.taps}
	s.write = patchMove{nil, s.result.elements(), s.result.elements()}
}

// directGrids are the inputs that outputs meet, and the outputs, one by one.
func directGrids(c *Conv) (inputs, outputs patchGrid) {
	one := [2]int{1, 1}
	inputs = patchGrid{
		size: [2]int(c.In[1:]), count: [2]int(c.Out[1:]), first: [2]int{-c.Pad[1], -c.Pad[2]},
		step: [2]int(c.Stride[1:]), edge: [2]int(c.Kernel[1:]), gap: [2]int(c.Dilation[1:]),
	}
	outputs = patchGrid{size: inputs.count, count: inputs.count, step: one, edge: one, gap: one}
	return inputs, outputs
}

// cutBackward makes patches of as many inputs as a stride has, and of all outputs
// that meet any of them.
func (s *patching) cutBackward(c *Conv) {
	one := [2]int{1, 1}
	// Along each axis: the output that a tap relates an input of a patch to, from
	// the number of the patch on.
	meets := func(axis, phase, tap int) (shift int, ok bool) {
		at := phase + c.Pad[axis+1] - tap*c.Dilation[axis+1]
		stride := c.Stride[axis+1]
		shift = (at+1<<20*stride)/stride - 1<<20 // rounded down
		return shift, shift*stride == at
	}
	s.result = patchGrid{size: s.result.size, step: [2]int(c.Stride[1:]), edge: [2]int(c.Stride[1:]), gap: one}
	s.source = patchGrid{size: s.source.size, step: one, gap: one}
	for axis := range 2 {
		lo, hi := 1<<30, -1<<30
		for phase := range c.Stride[axis+1] {
			for tap := range c.Kernel[axis+1] {
				if shift, ok := meets(axis, phase, tap); ok {
					lo, hi = min(lo, shift), max(hi, shift)
				}
			}
		}
		s.source.first[axis], s.source.edge[axis] = lo, hi-lo+1
		count := blocks(s.result.size[axis], c.Stride[axis+1])
		s.source.count[axis], s.result.count[axis] = count, count
	}
	for i := range s.result.edge[0] {
		for j := range s.result.edge[1] {
			point, before := i*s.result.edge[1]+j, len(s.terms)
			for tap := range s.taps {
				y, okY := meets(0, i, tap/c.Kernel[2])
				x, okX := meets(1, j, tap%c.Kernel[2])
				if okY && okX {
					at := (y-s.source.first[0])*s.source.edge[1] + x - s.source.first[1]
					s.terms = append(s.terms, patchTerm{point, at, tap})
				}
			}
			if len(s.terms) == before {
				s.empty = append(s.empty, point)
			}
		}
	}
}
