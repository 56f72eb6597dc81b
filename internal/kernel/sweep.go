package kernel

// A sweep computes a convolution, or the gradient of its input, as a product of
// matrices: the weights times the images as seen through the kernel. That second
// factor, which repeats each element once for each tap, is never stored. A task
// copies what it needs of the images into planes with padding around them, where
// a result finds the element under a tap a fixed distance away, so that a row of
// the factor is nothing but a place in the planes. The inner loop takes these
// places from a list.
//
// Results that follow each other along a row of an image are the columns of the
// product. Between two rows the planes have padding, and columns there are
// computed for nothing. Where that is a large part, a task packs the columns it
// wants, of several images, into panels (see panelPart).
type sweep struct {
	planes
	images   int
	groups   int
	sources  int  // channels of a group
	results  int  // channels of a group
	taps     int  // of the kernel
	backward bool // the weights of a source lie together, rather than those of a result
	depths   []sweepDepth

	flat   bool // images are planes as they are
	packed bool // all columns go through panels

	// What a task does: so many frames, which are images at one depth, rows and
	// columns of each phase, and channels of results.
	set, rows, cols, block int
	tasks                  struct{ sets, groups, blocks, rows, cols int }

	deep   int // channels of the source whose products a tile adds up at once
	panels int // that a tile of weights is multiplied by in turn

	pitchA, pitchC int

	// Elements of working memory.
	sizePlanes, sizeA, sizeB, sizeC int
}

// sweepDepth is what results of one phase of depth read.
type sweepDepth struct {
	taps        []axisTap // a slice of the source each
	channelSize int       // of planes
	phases      []sweepPhase
}

// sweepPhase is what results of one phase of height and width read.
type sweepPhase struct {
	row, col phase
	taps     int // for each channel of the source
	// Pairs of distances in bytes for the taps of deep channels: of a weight in
	// its packed tile, and of an element in the planes or in a panel.
	inPlanes, inPanel []int32
	// The parts of each panel of a task, and of a task with the last set or the
	// last columns. A panel without parts is read where it is.
	parts, lastParts [][]panelPart
}

const (
	sweepPlanes  = 128 << 10 // elements of planes that a task works on, unless rows are longer
	sweepResults = 48 << 10  // elements of results that are summed up at a time
	sweepDeep    = 288       // terms that are summed up at a time
	sweepTasks   = 8         // wanted, so that threads share the work evenly
	sweepLimit   = 16 << 20  // elements of working memory: larger ones are left to plain loops
	packingCost  = 10        // of a panel, in rows of a tile
)

// newSweep plans the outputs of a convolution or, backward, the gradients of its
// inputs. It returns nil if plain loops must do it.
func newSweep(c *Conv, backward bool) convPass {
	isa := &active.sweep
	if isa.lanes == 0 || c.N*c.C*c.M*c.pixels()*c.outputs() == 0 {
		return nil
	}
	s := &sweep{
		images: c.N, groups: c.Groups, sources: c.C / c.Groups, results: c.M / c.Groups,
		taps: c.taps(), backward: backward, flat: c.plain(), set: 1,
	}
	if backward {
		s.sources, s.results = s.results, s.sources
	}
	w := c.Window
	if s.flat {
		w = w.line()
	}
	s.isa, s.axes = isa, w.axes(backward)
	s.deep = balanced(s.sources, max(1, sweepDeep/s.taps))
	s.choosePanels()
	s.cut()
	s.layOut(&w)
	if s.need() > sweepLimit {
		return nil
	}
	return s
}

// balanced is the size of the largest part if n is cut evenly into parts of at
// most most.
func balanced(n, most int) int { return blocks(n, blocks(n, most)) }

func (s *sweep) frames() int { return s.images * s.axes[0].result }

// area is the number of results in the largest phase of a frame.
func (s *sweep) area() int { return s.axes[1].count() * s.axes[2].count() }

// choosePanels decides whether columns are packed, and how many frames a task
// then works on.
func (s *sweep) choosePanels() {
	tile, h, w := s.isa.cols(), &s.axes[1], &s.axes[2]
	const most = 16 // panels
	if s.axes[0].stride > 1 || s.area() > most*tile {
		return
	}
	pitch := newPlanes(s.isa, s.axes, h.count(), w.count()).pitch
	least := float64(blocks((h.count()-1)*pitch+w.count(), tile) * s.results)
	for set := 1; set <= s.frames() && set*s.area() <= most*tile; set++ {
		panels := blocks(set*s.area(), tile)
		if cost := float64(panels*(s.results+packingCost)) / float64(set); cost < 0.99*least {
			least, s.set, s.packed = cost, set, true
		}
	}
}

// cut cuts the work into tasks.
func (s *sweep) cut() {
	h, w := &s.axes[1], &s.axes[2]
	s.rows, s.cols = h.count(), w.count()
	t := &s.tasks
	t.sets, t.groups = blocks(s.frames(), s.set), s.groups
	tile := s.isa.cols()
	work := s.frames() * s.groups * s.results * s.sources * s.taps * s.area()
	wanted := min(sweepTasks, 1+work>>20)
	if !s.packed {
		// Parts of the rows, or of the columns of a single row.
		parts := blocks(wanted, t.sets*t.groups)
		if !s.flat {
			size := s.sources * s.thickness() * (h.count() + h.ahead) * (w.count() + w.ahead)
			parts = max(parts, blocks(size, sweepPlanes))
		}
		parts = min(parts, max(1, s.area()/(8*tile)))
		if h.count() > 1 {
			s.rows = balanced(h.count(), blocks(h.count(), min(parts, h.count())))
		} else {
			s.cols = min(w.count(), blocks(blocks(w.count(), parts), tile)*tile)
		}
	}
	t.rows, t.cols = blocks(h.count(), s.rows), blocks(w.count(), s.cols)
	parts := min(blocks(wanted, t.sets*t.groups*t.rows*t.cols), max(1, s.results/(2*s.isa.rows())))
	s.block = blocks(s.results, parts)
	t.blocks = blocks(s.results, s.block)
}

// thickness is how many planes there are for each channel.
func (s *sweep) thickness() int {
	slices := 0
	for _, p := range s.axes[0].phases {
		slices = max(slices, len(p.taps))
	}
	return slices * len(s.axes[1].planes) * len(s.axes[2].planes)
}

// layOut places planes, panels, weights and results in working memory and lists
// the places where terms are found.
func (s *sweep) layOut(win *Window) {
	d, h, w := &s.axes[0], &s.axes[1], &s.axes[2]
	tile := s.isa.cols()
	s.planes = newPlanes(s.isa, s.axes, s.rows, s.cols)
	if s.flat {
		s.size = w.count()
	}
	most := s.set * s.area() // columns
	if !s.packed {
		most = (s.rows-1)*s.pitch + s.cols
	}
	phases := len(h.phases) * len(w.phases)
	s.panels = blocks(most, tile)
	if !s.packed {
		s.panels = min(s.panels, max(2, min(12, sweepResults/(phases*s.block*tile))))
	}
	s.pitchC = s.panels*tile + 16 // not a power of two: these wear out few cache sets
	s.sizeC = phases * s.block * s.pitchC
	if s.backward {
		s.sizeA = s.deep * s.isa.rows() * s.taps
	} else {
		s.pitchA = blocks(s.deep*s.taps, 16)*16 + 16
		s.sizeA = s.isa.rows() * s.pitchA
	}
	for _, p := range d.phases {
		depth := sweepDepth{taps: p.taps}
		depth.channelSize = len(p.taps) * s.slice()
		if !s.flat {
			s.sizePlanes = max(s.sizePlanes, s.set*s.sources*depth.channelSize+tile+w.shared())
		}
		for _, row := range h.phases {
			for _, col := range w.phases {
				phase := sweepPhase{row: row, col: col, taps: len(p.taps) * len(row.taps) * len(col.taps)}
				s.place(&phase, &depth, win)
				s.dividePanels(&phase, &depth)
				depth.phases = append(depth.phases, phase)
			}
		}
		s.depths = append(s.depths, depth)
	}
	if s.packed || s.flat {
		s.sizeB = s.panels * s.deep * s.taps * tile
	}
}

// place lists the terms of a phase.
func (s *sweep) place(p *sweepPhase, depth *sweepDepth, w *Window) {
	tile := s.isa.cols()
	for c := range s.deep {
		for slice, td := range depth.taps {
			for _, th := range p.row.taps {
				for _, tw := range p.col.taps {
					tap := (td.tap*w.Kernel[1]+th.tap)*w.Kernel[2] + tw.tap
					weight := c*s.taps + tap
					if s.backward {
						weight = c*s.isa.rows()*s.taps + tap
					}
					element := c*depth.channelSize + s.offset(slice, th, tw)
					p.inPlanes = append(p.inPlanes, int32(4*weight), int32(4*element))
					p.inPanel = append(p.inPanel, int32(4*weight), int32(4*len(p.inPanel)/2*tile))
				}
			}
		}
	}
}

// need is how many elements of working memory a task needs.
func (s *sweep) need() int { return s.sizePlanes + s.sizeA + s.sizeB + s.sizeC }
