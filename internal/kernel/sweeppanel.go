package kernel

// panelPart says how some lanes of a vector of a panel are filled: lane i in
// from to to-1 holds element at+order[i] of the planes.
type panelPart struct {
	vector   int
	from, to int
	at       int
	span     int // the largest order, plus one: at most two vectors
	order    [16]int32
}

// dividePanels makes the parts of those panels of a phase that are packed.
func (s *sweep) dividePanels(p *sweepPhase, depth *sweepDepth) {
	if p.taps == 0 {
		return
	}
	switch {
	case s.packed:
		last := s.frames() - (s.tasks.sets-1)*s.set
		p.parts = s.packedPanels(p, depth, s.set)
		p.lastParts = s.packedPanels(p, depth, last)
	case s.flat:
		// There may be nothing to read behind the last column.
		p.parts = s.flatPanels(s.cols)
		p.lastParts = s.flatPanels(s.axes[2].count() - (s.tasks.cols-1)*s.cols)
	}
}

// packedPanels are the parts of panels with the columns of so many frames.
func (s *sweep) packedPanels(p *sweepPhase, depth *sweepDepth, frames int) [][]panelPart {
	frameSize := s.sources * depth.channelSize
	if s.flat {
		frameSize *= s.groups
	}
	var places []int
	for f := range frames {
		for r := range p.row.count {
			for c := range p.col.count {
				places = append(places, f*frameSize+r*s.pitch+c)
			}
		}
	}
	return s.isa.panelParts(places)
}

// flatPanels are the parts of panels with so many columns of one frame: only the
// last one has some, if it is not filled.
func (s *sweep) flatPanels(cols int) [][]panelPart {
	tile := s.isa.cols()
	panels := make([][]panelPart, blocks(cols, tile))
	if cols%tile > 0 {
		var places []int
		for i := cols - cols%tile; i < cols; i++ {
			places = append(places, i)
		}
		panels[len(panels)-1] = s.isa.panelParts(places)[0]
	}
	return panels
}

// panelParts cuts a list of places into parts of panels.
func (l *sweepLoops) panelParts(places []int) [][]panelPart {
	panels := make([][]panelPart, blocks(len(places), l.cols()))
	for i := 0; i < len(places); {
		lane := i % l.lanes
		p := panelPart{vector: i % l.cols() / l.lanes, from: lane, at: places[i]}
		panel := &panels[i/l.cols()]
		for ; i < len(places) && lane < l.lanes; i, lane = i+1, lane+1 {
			order := places[i] - p.at
			if order < 0 || order >= 2*l.lanes {
				break
			}
			p.order[lane] = int32(order)
			p.span = order + 1
			p.to = lane + 1
		}
		*panel = append(*panel, p)
	}
	return panels
}
