package kernel

// A patchingGradient computes the gradient of the weights of a convolution by
// patches: the points of those of the inputs and of those of the gradients of the
// outputs are the factors of products that add up over the patches. Where there
// are many patches, it takes some groups of them at a time, so that what it moves
// stays in the caches.
type patchingGradient struct {
	sources, results int
	taps             int

	source, gradient patchGrid
	readX, readY     patchMove // of inputs and of gradients
	weights          patchMove // of the sums, if they are transformed
	terms            []patchTerm

	groups []patchGroup
	rounds [][2]int // first group, and that behind the last

	sourcePanels, resultPanels int

	// Panels of patches, of the inputs and of the gradients, lie behind each
	// other, and so do 32 by 32 sums each.
	v, d, sums patchLayout
	order      []int32 // of taps, in bytes
	pixels     int     // elements
}

var gradientRound = 2 << 20 // elements of patches in a round

// newFastPatchingGradient is newPatchingGradient where that pays.
func newFastPatchingGradient(c *Conv) convGradient {
	if !c.patchesPay(patchGradientCost) {
		return nil
	}
	return newPatchingGradient(c)
}

// newPatchingGradient plans the gradient of the weights. It returns nil where that
// is not possible or needs too much memory.
func newPatchingGradient(c *Conv) convGradient {
	if !c.patches() {
		return nil
	}
	s := &patchingGradient{sources: c.C, results: c.M, taps: c.taps()}
	if c.winograds() {
		s.cutWinograd(c)
	} else {
		s.cutDirect(c)
	}
	s.place(c.N)
	if max(s.room(), s.scratch(), s.pixels) > sweepLimit {
		return nil
	}
	return s
}

// cutDirect makes patches of one output each, which are copied.
func (s *patchingGradient) cutDirect(c *Conv) {
	s.source, s.gradient = directGrids(c)
	s.readX, s.readY = patchMove{nil, s.taps, s.taps}, patchMove{nil, 1, 1}
	s.weights = patchMove{nil, s.taps, s.taps}
	for i := range s.taps {
		s.terms = append(s.terms, patchTerm{source: i, weights: i})
	}
}

// place plans the memory.
func (s *patchingGradient) place(images int) {
	s.sourcePanels, s.resultPanels = blocks(s.sources, panelCols), blocks(s.results, panelCols)
	s.groups = patchGroups(images, &s.source, &s.gradient, max(patchWanted, patchElements/(s.readX.to*s.sources)))
	perPatch := panelCols * (s.sourcePanels*s.readX.to + s.resultPanels*s.readY.to)
	rounds := min(blocks(s.patches([2]int{0, len(s.groups)})*perPatch, gradientRound), len(s.groups))
	patches := 0
	for i := range rounds {
		r := [2]int{i * len(s.groups) / rounds, (i + 1) * len(s.groups) / rounds}
		s.rounds = append(s.rounds, r)
		patches = max(patches, s.patches(r))
	}
	s.v = newPatchLayout(s.readX.to, patches, panelCols)
	s.d = newPatchLayout(s.readY.to, patches, panelCols)
	s.sums = newPatchLayout(s.weights.from, panelCols, panelCols)
	for i := range s.taps {
		s.order = append(s.order, int32(4*panelCols*i))
	}
	for _, g := range s.groups {
		s.pixels = max(s.pixels, s.source.room(g.source), s.gradient.room(g.result))
	}
	s.pixels = max(s.pixels, panelCols*s.taps*panelCols)
}

// patches is how many of them the groups of a round have.
func (s *patchingGradient) patches(round [2]int) int {
	n := 0
	for _, g := range s.groups[round[0]:round[1]] {
		n += g.all()
	}
	return n
}

// room is how many elements the patches of a round take.
func (s *patchingGradient) room() int {
	return s.sourcePanels*s.v.size + s.resultPanels*s.d.size
}

// scratch is how many elements the sums take, if there are several rounds.
func (s *patchingGradient) scratch() int {
	if len(s.rounds) == 1 {
		return 0
	}
	return s.sourcePanels * s.resultPanels * s.sums.size
}

type patchingGradientArgs struct {
	s         *patchingGradient
	x, dy, dw []float32
	scratch   []float32
	shared    []float32
	round     int
}

var (
	patchingReads = split(patchingGradientReads)
	patchingSums  = split(patchingGradientSums)

	patchingTiles freeList[tile]
)

// run computes the gradient dw of the weights from inputs x and gradients dy of
// the outputs.
func (s *patchingGradient) run(x, dy, dw, scratch []float32) {
	shared := getShared(s.room())
	defer shared.put()
	a := patchingGradientArgs{s: s, x: x, dy: dy, dw: dw, scratch: scratch, shared: shared.take(s.room())}
	for a.round = range s.rounds {
		r := s.rounds[a.round]
		patchingReads.do((r[1]-r[0])*(s.sourcePanels+s.resultPanels), 1, a)
		patchingSums.do(s.sourcePanels*s.resultPanels, 1, a)
	}
}

// inputs and gradients are where panels of patches begin.
func (a *patchingGradientArgs) inputs(panel int) []float32 { return a.shared[panel*a.s.v.size:] }
func (a *patchingGradientArgs) gradients(panel int) []float32 {
	return a.shared[a.s.sourcePanels*a.s.v.size+panel*a.s.d.size:]
}

// patchingGradientReads moves panels of groups.
func patchingGradientReads(a *patchingGradientArgs, lo, hi int) {
	s := a.s
	mem := getMemory(patchPoints*panelCols + s.pixels)
	defer mem.put()
	room, pixels := mem.take(patchPoints*panelCols), mem.take(s.pixels)
	panels := s.sourcePanels + s.resultPanels
	start := s.rounds[a.round][0]
	for task := lo; task < hi; task++ {
		g, panel := &s.groups[start+task/panels], task%panels
		first := (g.first - s.groups[start].first) * panelCols
		if panel < s.sourcePanels {
			s.readX.read(&s.source, g, g.source, a.x, s.sources, panel, a.inputs(panel)[first:], &s.v, pixels, room)
			continue
		}
		panel -= s.sourcePanels
		s.readY.read(&s.gradient, g, g.result, a.dy, s.results, panel, a.gradients(panel)[first:], &s.d, pixels, room)
	}
}

// patchingGradientSums computes the gradients of 32 by 32 kernels each.
func patchingGradientSums(a *patchingGradientArgs, lo, hi int) {
	s := a.s
	mem := getMemory(patchPoints*panelCols + s.pixels + s.sums.size)
	defer mem.put()
	room, gradients, local := mem.take(patchPoints*panelCols), mem.take(s.pixels), mem.take(s.sums.size)
	t := patchingTiles.get()
	for task := lo; task < hi; task++ {
		source, result := task%s.sourcePanels, task/s.sourcePanels
		sources, results := min(panelCols, s.sources-source*panelCols), min(panelCols, s.results-result*panelCols)
		sums := local
		if len(s.rounds) > 1 {
			sums = a.scratch[task*s.sums.size:]
		}
		*t = tile{
			aRow: 1, aStep: panelCols, bRow: panelCols, cRow: panelCols,
			k: s.patches(s.rounds[a.round]), alpha: 1, rows: results, cols: sources,
		}
		if a.round > 0 {
			t.beta = 1
		}
		x, y := a.inputs(source), a.gradients(result)
		for _, p := range s.terms {
			t.a, t.b, t.c = y[p.result*s.d.point:], x[p.source*s.v.point:], sums[p.weights*s.sums.point:]
			active.multiply(t)
		}
		if a.round < len(s.rounds)-1 {
			continue
		}
		to := a.dw[(result*panelCols*s.sources+source*panelCols)*s.taps:]
		from, item, tap := sums, panelCols, s.sums.point
		if s.weights.transform != nil {
			from, item, tap = gradients, s.taps*panelCols, panelCols
			s.weights.do(from, s.order, item, 0, sums, s.sums.at, panelCols, 0, room, sources, results)
		}
		for i := range results {
			transposeTile(to[i*s.sources*s.taps:], from, i*item, sources, s.taps, s.taps, tap)
		}
	}
	*t = tile{} // a resting one must not keep buffers alive
	patchingTiles.put(t)
}
