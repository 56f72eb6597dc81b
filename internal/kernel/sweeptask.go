package kernel

type sweepArgs struct {
	s       *sweep
	x, w, y []float32 // source, weights, results
	ep      Epilogue
}

var sweepParts = split(sweepPart)

// run computes the results y of source x under weights w.
func (s *sweep) run(x, w, y []float32, ep Epilogue) {
	n := s.tasks.sets * s.tasks.groups * s.tasks.blocks * s.tasks.rows * s.tasks.cols
	work := s.block * s.sources * s.taps * s.set * s.rows * s.cols
	sweepParts.do(n, min(1+(1<<20)/work, blocks(n, 2*wantedTasks)), sweepArgs{s, x, w, y, ep})
}

func sweepPart(a *sweepArgs, lo, hi int) {
	mem := getMemory(a.s.need())
	defer mem.put()
	t := sweepTask{sweepArgs: a}
	t.planes, t.a, t.b, t.c = mem.take(a.s.sizePlanes), mem.take(a.s.sizeA), mem.take(a.s.sizeB), mem.take(a.s.sizeC)
	for task := lo; task < hi; task++ {
		t.choose(task)
		t.multiply()
	}
}

// sweepTask is one task of a sweep.
type sweepTask struct {
	*sweepArgs
	planes, a, b, c []float32 // working memory

	frame, frames int
	group         int
	first, count  int // channels of results in the group
	row, rows     int // of a phase
	col, cols     int
	last          bool // the last set or the last columns
	depth         *sweepDepth
	source        []float32 // planes of this task
}

// choose makes t the task of a number, and fills the planes.
func (t *sweepTask) choose(task int) {
	s := t.s
	next := func(n int) int {
		i := task % n
		task /= n
		return i
	}
	part := func(i, size, n int) (from, count int) { return i * size, min(size, n-i*size) }
	cols, rows, block := next(s.tasks.cols), next(s.tasks.rows), next(s.tasks.blocks)
	t.group = next(s.tasks.groups)
	t.col, t.cols = part(cols, s.cols, s.axes[2].count())
	t.row, t.rows = part(rows, s.rows, s.axes[1].count())
	t.first, t.count = part(block, s.block, s.results)
	t.frame, t.frames = part(task, s.set, s.frames())
	t.last = task == s.tasks.sets-1
	if s.flat && !s.packed {
		t.last = cols == s.tasks.cols-1
	}
	d := &s.axes[0]
	t.depth = &s.depths[t.frame%d.result%d.stride]
	if s.flat {
		channel := s.axes[2].source
		t.source = t.x[(t.frame*s.groups+t.group)*s.sources*channel+t.col:]
		return
	}
	t.source = t.planes
	frameSize := s.sources * t.depth.channelSize
	for f := range t.frames {
		image, z := (t.frame+f)/d.result, (t.frame+f)%d.result
		x := t.x[(image*s.groups+t.group)*s.sources*d.source*s.axes[1].source*s.axes[2].source:]
		s.load(t.planes[f*frameSize:], x, s.sources, t.depth.taps, z/d.stride, t.row, t.rows, t.col)
	}
	clear(t.planes[t.frames*frameSize:])
}

// multiply computes the results of the task.
func (t *sweepTask) multiply() {
	s := t.s
	tile := s.isa.cols()
	total := t.frames * s.area()
	if !s.packed {
		total = (t.rows-1)*s.pitch + t.cols
	}
	for panel := 0; panel < blocks(total, tile); panel += s.panels {
		panels := min(s.panels, blocks(total, tile)-panel)
		for c := 0; c < s.sources; c += s.deep {
			deep := min(s.deep, s.sources-c)
			t.packPanels(panel, panels, c, deep)
			tiles := blocks(t.count, s.isa.rows())
			for i := range tiles {
				from, to := i*t.count/tiles, (i+1)*t.count/tiles
				t.packWeights(from, to-from, c, deep)
				for p := range t.depth.phases {
					t.multiplyTiles(p, panel, panels, c, deep, from, to-from)
				}
			}
		}
		t.finish(panel, panels)
	}
}

// packWeights copies the weights of a tile.
func (t *sweepTask) packWeights(row, rows, c, deep int) {
	s := t.s
	w := t.w[t.group*s.results*s.sources*s.taps:]
	row += t.first
	if s.backward {
		w = w[(c*s.results+row)*s.taps:]
		s.isa.copyRows(&t.a[0], 4*s.isa.rows()*s.taps, &w[0], 4*s.results*s.taps, deep, rows*s.taps)
		return
	}
	w = w[(row*s.sources+c)*s.taps:]
	s.isa.copyRows(&t.a[0], 4*s.pitchA, &w[0], 4*s.sources*s.taps, rows, deep*s.taps)
}

// parts are those of the panels of a phase.
func (t *sweepTask) parts(p *sweepPhase) [][]panelPart {
	if t.last {
		return p.lastParts
	}
	return p.parts
}

// panel is where a packed panel of a group of them lies.
func (t *sweepTask) panel(phase, i int) []float32 {
	s := t.s
	before := 0
	for _, p := range t.depth.phases[:phase] {
		before += p.taps
	}
	size := s.deep * s.isa.cols()
	return t.b[(before*s.panels+t.depth.phases[phase].taps*i)*size:]
}

// packPanels fills the panels of deep channels that are not read in place.
func (t *sweepTask) packPanels(panel, panels, c, deep int) {
	s := t.s
	for phase := range t.depth.phases {
		p := &t.depth.phases[phase]
		parts := t.parts(p)
		for i := panel; i < min(panel+panels, len(parts)); i++ {
			for j := range parts[i] {
				q := &parts[i][j]
				s.isa.pack(&t.panel(phase, i-panel)[q.vector*s.isa.lanes], 4*s.isa.cols(),
					&t.source[c*t.depth.channelSize+q.at], &p.inPlanes[0], deep*p.taps,
					&q.order[0], q.span, q.from, q.to)
			}
		}
	}
}

// multiplyTiles multiplies a tile of weights by the panels of a phase.
func (t *sweepTask) multiplyTiles(phase, panel, panels, c, deep, row, rows int) {
	s := t.s
	tile := s.isa.cols()
	p := &t.depth.phases[phase]
	if p.taps == 0 {
		for r := range rows {
			clear(t.c[(phase*s.block+row+r)*s.pitchC:][:panels*tile])
		}
		return
	}
	rowA := 4 * s.pitchA
	if s.backward {
		rowA = 4 * s.taps
	}
	parts := t.parts(p)
	if s.packed {
		panels = min(panels, len(parts)-panel)
	}
	f := s.isa.tile[rows-1]
	for i := range panels {
		b, offsets := t.source[c*t.depth.channelSize:], p.inPlanes
		if panel+i < len(parts) && parts[panel+i] != nil {
			b, offsets = t.panel(phase, i), p.inPanel
		} else {
			b = b[(panel+i)*tile:]
		}
		to, rowC := t.c[(phase*s.block+row)*s.pitchC+i*tile:], s.pitchC
		if t.inPlace(panel + i) {
			rowC = s.axes[2].result
			to = t.y[t.result(0, row)+t.col+(panel+i)*tile:]
		}
		f(&t.a[0], rowA, &offsets[0], deep*p.taps, &b[0], &to[0], 4*rowC, c)
	}
}

// inPlace tells whether the results of a panel lie together, so that they need
// not be moved.
func (t *sweepTask) inPlace(panel int) bool {
	return t.s.flat && !t.s.packed && (panel+1)*t.s.isa.cols() <= t.cols
}

// result is where the results of a channel begin, for a frame of the task.
func (t *sweepTask) result(frame, channel int) int {
	s := t.s
	d := &s.axes[0]
	plane := s.axes[1].result * s.axes[2].result
	image, z := (t.frame+frame)/d.result, (t.frame+frame)%d.result
	return (((image*s.groups+t.group)*s.results+t.first+channel)*d.result + z) * plane
}

// finish moves the results of some panels to where they belong.
func (t *sweepTask) finish(panel, panels int) {
	s := t.s
	tile, h, w := s.isa.cols(), &s.axes[1], &s.axes[2]
	from, to := panel*tile, (panel+panels)*tile
	if t.inPlace(panel) {
		end := min(to, t.cols/tile*tile)
		if !t.ep.Empty() {
			at := t.result(0, 0) + t.col + from
			t.apply(at, t.y[at:], w.result, end-from)
		}
		from = end
	}
	for f := range t.frames {
		for ph := range h.phases {
			p := &t.depth.phases[ph*len(w.phases)]
			rows, cols, pitch, start := min(t.rows, p.row.count-t.row), t.cols, s.pitch, 0
			if s.packed {
				pitch, start = p.col.count, f*p.row.count*p.col.count
			}
			if pitch == w.result && h.stride == 1 && w.stride == 1 {
				rows, cols = 1, rows*cols // one long row
			}
			for r := range rows {
				at := start + r*pitch
				lo, hi := max(from, at), min(to, at+cols)
				if lo >= hi {
					continue
				}
				y := t.result(f, 0) + (p.row.first+h.stride*(t.row+r))*w.result + w.stride*(t.col+lo-at)
				if w.stride == 1 {
					t.apply(y, t.c[ph*s.block*s.pitchC+lo-panel*tile:], s.pitchC, hi-lo)
				} else {
					t.interleave(y, f, ph, r, t.col+lo-at, t.col+hi-at, panel*tile)
				}
			}
		}
	}
}

// apply copies n columns of results to place y of all channels, and finishes
// them.
func (t *sweepTask) apply(y int, from []float32, pitch, n int) {
	s := t.s
	stride := s.axes[0].result * s.axes[1].result * s.axes[2].result
	if t.ep.Empty() {
		s.isa.copyRows(&t.y[y], 4*stride, &from[0], 4*pitch, t.count, n)
		return
	}
	s.isa.finish(&t.ep, t.group*s.results+t.first, t.y, y, stride, from, pitch, t.count, n)
}

// interleave makes a piece of rows from the phases of width, columns lo to hi-1
// of each, and moves it to place y of all channels.
func (t *sweepTask) interleave(y, frame, ph, row, lo, hi, origin int) {
	s := t.s
	w := &s.axes[2]
	stride := s.axes[0].result * s.axes[1].result * w.result
	column := func(pw int) (c []float32, n int) {
		p := &t.depth.phases[ph*len(w.phases)+pw]
		at := row*s.pitch + lo - t.col - origin
		if s.packed {
			at = (frame*p.row.count+row)*p.col.count + lo
		}
		return t.c[(ph*len(w.phases)+pw)*s.block*s.pitchC+at:], min(hi, p.col.count) - lo
	}
	n := min(hi*w.stride, w.result) - lo*w.stride
	if w.stride == 2 && len(w.phases) == 2 {
		even, _ := column(0)
		odd, _ := column(1)
		s.isa.joinRows(&t.y[y], 4*stride, &even[0], &odd[0], 4*s.pitchC, t.count, n)
	} else {
		for pw := range w.phases {
			from, count := column(pw)
			for m := range t.count {
				to := t.y[y+m*stride+pw:]
				for i := range count {
					to[i*w.stride] = from[m*s.pitchC+i]
				}
			}
		}
	}
	if !t.ep.Empty() {
		t.apply(y, t.y[y:], stride, n)
	}
}
