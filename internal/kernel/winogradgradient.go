package kernel

// A winogradGradient computes the gradient of the weights of a convolution by
// patches: those of the inputs and of the gradients of the outputs, both
// transformed, are the factors of products that add up over the patches, and the
// sums are transformed back. Where there are many patches, it takes some groups
// of them at a time, so that what is transformed stays in the caches.
type winogradGradient struct {
	images, sources, results int

	source, gradient patchGrid
	groups           []patchGroup
	rounds           [][2]int // first group, and that behind the last

	sourcePanels, resultPanels int

	// Panels of transformed patches, of the inputs and of the gradients, lie
	// behind each other.
	v, d   layout
	sums   layout
	taps   []int32
	pixels int
}

const gradientRound = 2 << 20 // elements of transformed patches in a round

// newWinogradGradient plans the gradient of the weights. It returns nil where that
// is not possible.
func newWinogradGradient(c *Conv) *winogradGradient {
	forward := newWinograd(c, false)
	if forward == nil {
		return nil
	}
	s := &winogradGradient{
		images: c.N, sources: c.C, results: c.M,
		source: forward.source, gradient: forward.result, groups: forward.groups,
		sourcePanels: blocks(c.C, panelCols), resultPanels: blocks(c.M, panelCols),
	}
	perPatch := patchPoints * panelCols * (s.sourcePanels + s.resultPanels)
	rounds := min(blocks(forward.patches*perPatch, gradientRound), len(s.groups))
	patches := 0
	for i := range rounds {
		r := [2]int{i * len(s.groups) / rounds, (i + 1) * len(s.groups) / rounds}
		s.rounds = append(s.rounds, r)
		patches = max(patches, s.patchesOf(r))
	}
	s.v = newLayout(patches, panelCols)
	s.d = s.v
	s.sums = newLayout(panelCols, panelCols)
	for i := range 9 {
		s.taps = append(s.taps, int32(4*panelCols*i))
	}
	for _, g := range s.groups {
		s.pixels = max(s.pixels, s.source.room(g.source), s.gradient.room(g.result))
	}
	s.pixels = max(s.pixels, panelCols*9*panelCols)
	if s.room() > sweepLimit {
		return nil
	}
	return s
}

// patchesOf is how many patches the groups of a round have.
func (s *winogradGradient) patchesOf(round [2]int) int {
	n := 0
	for _, g := range s.groups[round[0]:round[1]] {
		n += g.images * g.patches
	}
	return n
}

// room is how many elements the transformed patches of a round take.
func (s *winogradGradient) room() int {
	return (s.sourcePanels + s.resultPanels) * s.v.size
}

// scratch is how many elements the sums take, if there are several rounds.
func (s *winogradGradient) scratch() int {
	if len(s.rounds) == 1 {
		return 0
	}
	return s.sourcePanels * s.resultPanels * s.sums.size
}

type winogradGradientArgs struct {
	s         *winogradGradient
	x, dy, dw []float32
	scratch   []float32
	shared    []float32
	round     int
	tile      tile // of a task
}

var (
	winogradPatches = split(winogradGradientPatches)
	winogradSums    = split(winogradGradientSums)

	winogradTiles pool[winogradGradientArgs]
)

// run computes the gradient dw of the weights from inputs x and gradients dy of
// the outputs.
func (s *winogradGradient) run(x, dy, dw, scratch []float32) {
	shared := winogradShared.get()
	defer winogradShared.put(shared)
	if len(*shared) < s.room() {
		*shared = make([]float32, s.room())
	}
	a := winogradGradientArgs{s: s, x: x, dy: dy, dw: dw, scratch: scratch, shared: *shared}
	for a.round = range s.rounds {
		r := s.rounds[a.round]
		winogradPatches.do((r[1]-r[0])*(s.sourcePanels+s.resultPanels), 1, a)
		winogradSums.do(s.sourcePanels*s.resultPanels, 1, a)
	}
}

// panel is where a panel of transformed patches begins: first those of the
// inputs, then those of the gradients.
func (a *winogradGradientArgs) panel(i int) []float32 { return a.shared[i*a.s.v.size:] }

// winogradGradientPatches transforms panels of groups.
func winogradGradientPatches(a *winogradGradientArgs, lo, hi int) {
	s := a.s
	mem := getMemory(patchPoints*panelCols + s.pixels)
	defer mem.put()
	room, pixels := mem.take(patchPoints*panelCols), mem.take(s.pixels)
	panels := s.sourcePanels + s.resultPanels
	start := s.rounds[a.round][0]
	for task := lo; task < hi; task++ {
		g, panel := &s.groups[start+task/panels], task%panels
		to := a.panel(panel)[(g.first-s.groups[start].first)*panelCols:]
		if panel < s.sourcePanels {
			patchPanel(active.winograd.source, &s.source, g, g.source, a.x, s.sources, panel, to, &s.v, pixels, room)
		} else {
			patchPanel(active.winograd.gradient, &s.gradient, g, g.result, a.dy, s.results, panel-s.sourcePanels, to, &s.v, pixels, room)
		}
	}
}

// winogradGradientSums computes the gradients of 32 by 32 kernels each.
func winogradGradientSums(args *winogradGradientArgs, lo, hi int) {
	s := args.s
	mem := getMemory(patchPoints*panelCols + s.pixels + s.sums.size)
	defer mem.put()
	a := winogradTiles.get()
	*a = *args
	room, gradients, local := mem.take(patchPoints*panelCols), mem.take(s.pixels), mem.take(s.sums.size)
	for task := lo; task < hi; task++ {
		source, result := task%s.sourcePanels, task/s.sourcePanels
		sources, results := min(panelCols, s.sources-source*panelCols), min(panelCols, s.results-result*panelCols)
		sums := local
		if len(s.rounds) > 1 {
			sums = a.scratch[task*s.sums.size:]
		}
		a.tile = tile{
			aRow: 1, aStep: panelCols, bRow: panelCols, cRow: panelCols,
			k: s.patchesOf(s.rounds[a.round]), alpha: 1, rows: results, cols: sources,
		}
		if a.round > 0 {
			a.tile.beta = 1
		}
		d, v := a.panel(s.sourcePanels+result), a.panel(source)
		for i := range patchPoints {
			a.tile.a, a.tile.b, a.tile.c = d[i*s.v.point:], v[i*s.v.point:], sums[i*s.sums.point:]
			active.multiply(&a.tile)
		}
		if a.round < len(s.rounds)-1 {
			continue
		}
		active.winograd.weightGradient(&gradients[0], &s.taps[0], 4*9*panelCols, 0,
			&sums[0], &s.sums.at[0], 4*panelCols, 0, &room[0], vectorsOf(sources), results)
		for i := range results {
			to := ((result*panelCols+i)*s.sources + source*panelCols) * 9
			transposeTile(a.dw[to:], gradients, i*9*panelCols, sources, 9, 9, panelCols)
		}
	}
	*a = winogradGradientArgs{}
	winogradTiles.put(a)
}
