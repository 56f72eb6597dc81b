package kernel

type winogradArgs struct {
	s       *winograd
	x, w, y []float32 // source, weights, results
	ep      Epilogue
	shared  []float32 // what was transformed first
}

var (
	winogradFirst = split(winogradPrepare)
	winogradParts = split(winogradPart)

	winogradShared pool[[]float32]
	winogradSpaces pool[winogradTask]
)

// run computes the results y of source x under weights w.
func (s *winograd) run(x, w, y []float32, ep Epilogue) {
	shared := winogradShared.get()
	defer winogradShared.put(shared)
	panels := blocks(s.results, panelCols)
	first, then, size := panels, len(s.groups), panels*s.u.size
	if s.imagesFirst {
		first, then, size = len(s.groups)*s.panels(), panels, s.v.size
	}
	if len(*shared) < size {
		*shared = make([]float32, size)
	}
	args := winogradArgs{s, x, w, y, ep, *shared}
	winogradFirst.do(first, 1, args)
	winogradParts.do(then, 1, args)
}

// winogradTask is the memory of a task.
type winogradTask struct {
	winogradArgs
	tile               tile
	room, pixels, m, b []float32 // b is the second factor
}

// begin takes memory for a task.
func (a *winogradArgs) begin(second int) (*winogradTask, *memory) {
	s := a.s
	mem := getMemory(patchPoints*panelCols + s.pixels + s.m.size + second)
	t := winogradSpaces.get()
	t.winogradArgs = *a
	t.room, t.pixels, t.m = mem.take(patchPoints*panelCols), mem.take(s.pixels), mem.take(s.m.size)
	t.b = mem.take(second)
	return t, mem
}

func (t *winogradTask) end(mem *memory) {
	*t = winogradTask{} // a resting one must not keep buffers alive
	winogradSpaces.put(t)
	mem.put()
}

// winogradPrepare transforms parts of what is shared.
func winogradPrepare(a *winogradArgs, lo, hi int) {
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

func winogradPart(a *winogradArgs, lo, hi int) {
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
			t.multiply(panel, g.images*g.patches, t.b, a.shared[panel*s.u.size:])
			t.results(panel, g, t.m)
		}
	}
}

// images transforms the patches of a group, for one panel of the sources.
func (t *winogradTask) images(g *patchGroup, panel int, v []float32) {
	s := t.s
	patchPanel(active.winograd.source, &s.source, g, g.source, t.x, s.sources, panel, v[panel*panelCols:], &s.v, t.pixels, t.room)
}

// patchPanel transforms the patches of a group, for one panel of the channels of
// images.
func patchPanel(f patchMap, grid *patchGrid, g *patchGroup, p *patchPlaces, x []float32, channels, panel int, to []float32, l *layout, pixels, room []float32) {
	plane := grid.height * grid.width
	n := (p.hi - p.lo) * grid.width
	clear(pixels[n*panelCols:][:panelCols])
	first := panel * panelCols
	count := min(panelCols, channels-first)
	for i := range g.images {
		active.packColumns(pixels, x[((g.image+i)*channels+first)*plane+p.lo*grid.width:], n, count, plane, 0)
		f(&to[i*g.patches*l.item], &l.at[0], 4*l.item, 0,
			&pixels[0], &p.at[0], 0, 4*grid.edge*grid.edge, &room[0], vectorsOf(count), g.patches)
	}
}

// vectorsOf is how many vectors so many channels of a panel fill.
func vectorsOf(channels int) int { return blocks(channels, active.winograd.lanes) }

// weights transforms a panel of weights.
func (t *winogradTask) weights(panel int, u []float32) {
	s := t.s
	first := panel * panelCols
	results := min(panelCols, s.results-first)
	rows := t.pixels[weightsAtOnce*9*panelCols:]
	for c := 0; c < s.sources; c += weightsAtOnce {
		count := min(weightsAtOnce, s.sources-c)
		if s.backward {
			// Rows that lie far apart are best fetched many at a time.
			active.view.rows(rows[:count*results*9], t.w[(c*s.results+first)*9:], results*9, s.results*9)
			for i := range count {
				active.packColumns(t.pixels[i*9*panelCols:], rows[i*results*9:], 9, results, 9, 0)
			}
		} else {
			active.packColumns(t.pixels, t.w[(first*s.sources+c)*9:], count*9, results, s.sources*9, 0)
		}
		active.winograd.weights(&u[c*s.u.item], &s.u.at[0], 4*s.u.item, 0,
			&t.pixels[0], &s.taps[0], 4*9*panelCols, 0, &t.room[0], vectorsOf(results), count)
	}
}

// multiply computes a panel of so many patches of results.
func (t *winogradTask) multiply(panel, patches int, v, u []float32) {
	s := t.s
	t.tile = tile{
		aRow: s.v.item, aStep: 1, bRow: panelCols, cRow: panelCols,
		k: s.sources, alpha: 1, rows: patches, cols: min(panelCols, s.results-panel*panelCols),
	}
	for i := range patchPoints {
		t.tile.a, t.tile.b, t.tile.c = v[i*s.v.point:], u[i*s.u.point:], t.m[i*s.m.point:]
		active.multiply(&t.tile)
	}
}

// results transforms a panel of the results of a group, which begin at m, back.
func (t *winogradTask) results(panel int, g *patchGroup, m []float32) {
	s := t.s
	first := panel * panelCols
	results := min(panelCols, s.results-first)
	plane := s.result.height * s.result.width
	from := g.result.lo * s.result.width
	n := g.result.hi*s.result.width - from
	for f := range g.images {
		active.winograd.result(&t.pixels[0], &g.result.at[0], 0, 4*patchStep*patchStep,
			&m[f*g.patches*s.m.item], &s.m.at[0], 4*s.m.item, 0, &t.room[0], vectorsOf(results), g.patches)
		y := ((g.image+f)*s.results+first)*plane + from
		transposeTile(t.y[y:], t.pixels, 0, results, n, plane, panelCols)
		t.finish(first, results, y, plane, n)
	}
}

// finish applies the epilogue to n results, at y, of some channels.
func (t *winogradTask) finish(first, channels, y, plane, n int) {
	if t.ep.empty() {
		return
	}
	if active.sweep.lanes == 0 {
		for c := range channels {
			at := y + c*plane
			t.ep.apply(t.y[at:][:n], first+c, 0, at)
		}
		return
	}
	ep := &t.ep
	clamp := 0
	if ep.Clamp {
		clamp = 1
	}
	active.sweep.finishRows(&t.y[y], 4*plane, &t.y[y], 4*plane, channels, n,
		at(ep.Row, first), at(ep.Add, y), at(ep.Gate, y), clamp, ep.Lo, ep.Hi)
}

// at is where an element of a part of an epilogue is, nil if there is no such
// part.
func at(part []float32, i int) *float32 {
	if part == nil {
		return nil
	}
	return &part[i]
}
