package kernel

type patchingArgs struct {
	s       *patching
	x, w, y []float32 // source, weights, results
	ep      Epilogue
	shared  []float32 // the factor that is moved first
}

var (
	patchingFirst = split(patchingPrepare)
	patchingParts = split(patchingPart)

	patchingTasks freeList[patchingTask]
)

// run computes the results y of source x under weights w.
func (s *patching) run(x, w, y []float32, ep Epilogue) {
	panels := blocks(s.results, panelCols)
	first, then, size := panels, len(s.groups), panels*s.u.size
	if s.imagesFirst {
		first, then, size = len(s.groups)*s.panels(), panels, s.v.size
	}
	shared := getShared(size)
	defer shared.put()
	args := patchingArgs{s, x, w, y, ep, shared.take(size)}
	patchingFirst.do(first, 1, args)
	patchingParts.do(then, 1, args)
}

// patchingTask is the memory of a task.
type patchingTask struct {
	patchingArgs
	tile               tile
	room, pixels, m, b []float32 // b is the second factor
}

// begin takes memory for a task.
func (a *patchingArgs) begin(second int) (*patchingTask, *memory) {
	s := a.s
	mem := getMemory(patchPoints*panelCols + s.pixels + s.m.size + second)
	t := patchingTasks.get()
	t.patchingArgs = *a
	t.room, t.pixels, t.m = mem.take(patchPoints*panelCols), mem.take(s.pixels), mem.take(s.m.size)
	t.b = mem.take(second)
	return t, mem
}

func (t *patchingTask) end(mem *memory) {
	*t = patchingTask{} // a resting one must not keep buffers alive
	patchingTasks.put(t)
	mem.put()
}

// patchingPrepare moves parts of what is shared.
func patchingPrepare(a *patchingArgs, lo, hi int) {
	t, mem := a.begin(0)
	defer t.end(mem)
	s := a.s
	for i := lo; i < hi; i++ {
		if s.imagesFirst {
			g := &s.groups[i/s.panels()]
			t.images(g, i%s.panels(), a.shared[g.first*s.v.item:])
		} else {
			t.weights(i, a.shared[i*s.u.size:])
		}
	}
}

func patchingPart(a *patchingArgs, lo, hi int) {
	s := a.s
	second := s.v.size
	if s.imagesFirst {
		second = s.u.size
	}
	t, mem := a.begin(second)
	defer t.end(mem)
	for i := lo; i < hi; i++ {
		if s.imagesFirst {
			t.weights(i, t.b)
			t.multiply(i, s.patches, a.shared, t.b)
			for j := range s.groups {
				g := &s.groups[j]
				t.results(i, g, t.m[g.first*s.m.item:])
			}
			continue
		}
		g := &s.groups[i]
		for panel := range s.panels() {
			t.images(g, panel, t.b)
		}
		for panel := range blocks(s.results, panelCols) {
			t.multiply(panel, g.all(), t.b, a.shared[panel*s.u.size:])
			t.results(panel, g, t.m)
		}
	}
}

// images moves a panel of the sources of a group.
func (t *patchingTask) images(g *patchGroup, panel int, v []float32) {
	s := t.s
	s.read.read(&s.source, g, g.source, t.x, s.sources, panel, v[panel*panelCols:], &s.v, t.pixels, t.room)
}

// weights moves a panel of weights.
func (t *patchingTask) weights(panel int, u []float32) {
	s := t.s
	first := panel * panelCols
	results := min(panelCols, s.results-first)
	size := s.taps * panelCols // of a source
	rows := t.pixels[weightsAtOnce*size:]
	for c := 0; c < s.sources; c += weightsAtOnce {
		count := min(weightsAtOnce, s.sources-c)
		to := t.pixels
		if s.weights.transform == nil {
			to = u[c*size:]
		}
		if s.backward {
			// Rows that lie far apart are best fetched many at a time.
			active.view.rows(rows[:count*results*s.taps], t.w[(c*s.results+first)*s.taps:], results*s.taps, s.results*s.taps)
			for i := range count {
				active.packColumns(to[i*size:], rows[i*results*s.taps:], s.taps, results, s.taps, 0)
			}
		} else {
			active.packColumns(to, t.w[(first*s.sources+c)*s.taps:], count*s.taps, results, s.sources*s.taps, 0)
		}
		if s.weights.transform != nil {
			s.weights.do(u[c*s.u.item:], s.u.at, s.u.item, 0, t.pixels, s.order, size, 0, t.room, results, count)
		}
	}
}

// multiply computes a panel of so many patches of results.
func (t *patchingTask) multiply(panel, patches int, v, u []float32) {
	s := t.s
	cols := min(panelCols, s.results-panel*panelCols)
	t.tile = tile{
		aRow: s.v.item, aStep: 1, bRow: s.u.item, cRow: panelCols,
		k: s.sources, alpha: 1, cols: cols,
	}
	for _, i := range s.empty {
		clear(t.m[i*s.m.point:][:patches*panelCols])
	}
	for i, p := range s.terms {
		t.tile.beta = 0
		if i > 0 && s.terms[i-1].result == p.result {
			t.tile.beta = 1
		}
		t.tile.b = u[p.weights*s.u.point:]
		for row := 0; row < patches; row += stepM {
			t.tile.rows = min(stepM, patches-row)
			t.tile.a, t.tile.c = v[p.source*s.v.point+row*s.v.item:], t.m[p.result*s.m.point+row*s.m.item:]
			active.multiply(&t.tile)
		}
	}
}

// results moves a panel of the results of a group, which begin at m, to where
// they belong.
func (t *patchingTask) results(panel int, g *patchGroup, m []float32) {
	s := t.s
	first := panel * panelCols
	results := min(panelCols, s.results-first)
	plane := s.result.pixels()
	from := g.result.lo * s.result.size[1]
	n := g.result.hi*s.result.size[1] - from
	for f := range g.images {
		s.write.do(t.pixels, g.result.at, 0, s.write.to, m[f*g.patches*s.m.item:], s.m.at, s.m.item, 0, t.room, results, g.patches)
		y := ((g.image+f)*s.results+first)*plane + from
		transposeTile(t.y[y:], t.pixels, 0, results, n, plane, panelCols)
		t.ep.finish(first, t.y, y, plane, results, n)
	}
}
