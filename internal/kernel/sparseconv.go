package kernel

import "math"

// SparseConv is a convolution of which many weights are zero. It has a list of
// terms for each channel of results, or of gradients of inputs: the weight, and
// the place in the planes of a sweep or a correlation that it meets, of all
// channels.
type SparseConv struct {
	conv              *Conv
	forward, backward *sparseSweep // nil where there is none
	gradient          *sparseCorrelation
}

// NewSparseConv prepares a convolution like c.
func NewSparseConv(c *Conv) *SparseConv {
	v := &SparseConv{conv: c}
	if newStencil(c) != nil || active.sweep.lanes == 0 || c.N*c.C*c.M*c.pixels()*c.outputs() == 0 || c.M*c.weights() >= sparseLimit {
		return v
	}
	v.forward, v.backward = newSparseSweep(c, false), newSparseSweep(c, true)
	if s, ok := newCorrelation(c).(*correlation); ok {
		v.gradient = &sparseCorrelation{correlation: s, lists: lists{isa: &active.sparse}}
	}
	return v
}

// ForwardCost is the time Forward takes as a share of that of the dense
// convolution, about. BackwardDataCost and BackwardWeightsCost are for the others.
func (v *SparseConv) ForwardCost(z *Pruned) float64 {
	if v.forward == nil {
		return math.Inf(1)
	}
	return z.share() / active.sparse.convPays * v.gain(v.conv.forward, patchCost)
}

// BackwardDataCost is ForwardCost for BackwardData.
func (v *SparseConv) BackwardDataCost(z *Pruned) float64 {
	if v.backward == nil {
		return math.Inf(1)
	}
	return z.share() / active.sparse.convPays * v.gain(v.conv.backward, patchCost)
}

// BackwardWeightsCost is ForwardCost for BackwardWeights.
func (v *SparseConv) BackwardWeightsCost(z *Pruned) float64 {
	if v.gradient == nil {
		return math.Inf(1)
	}
	return z.share() / active.sparse.correlationPays * v.gain(v.conv.gradient, patchGradientCost)
}

// gain is how many times as fast as a direct sum the dense convolution is: what
// transforms of patches make of it.
func (v *SparseConv) gain(dense any, transform int) float64 {
	switch dense.(type) {
	case *patching, *patchingGradient:
		return max(1, v.conv.patchGain(transform))
	}
	return 1
}

// Forward is that of Conv. z are the zeros of w.
func (v *SparseConv) Forward(x, w, y []float32, z *Pruned, ep Epilogue) {
	v.conv.check(x, w, y)
	v.conv.checkEpilogue(&ep, len(y), v.conv.M)
	v.forward.run(x, w, y, z, ep)
}

// BackwardData is that of Conv. z are the zeros of w.
func (v *SparseConv) BackwardData(dy, w, dx []float32, z *Pruned, ep Epilogue) {
	v.conv.check(dx, w, dy)
	v.conv.checkEpilogue(&ep, len(dx), v.conv.C)
	v.backward.run(dy, w, dx, z, ep)
}

// BackwardWeights is that of Conv, with zeros in dw where z has them.
func (v *SparseConv) BackwardWeights(x, dy, dw []float32, z *Pruned) {
	v.conv.check(x, dw, dy)
	s := v.gradient
	s.update(z)
	shared := getShared(s.scratch())
	defer shared.put()
	s.correlation.compute(x, dy, dw, shared.take(s.scratch()), s)
}

// sparseSweep is a sweep whose weights are lists.
type sparseSweep struct {
	sweep
	kernel  Window
	lists   []lists // of each phase of each depth; a row for each channel of results
	version int64
}

// newSparseSweep plans the outputs of a convolution or, backward, the gradients of
// its inputs. Images always become planes, and all channels of them at once.
func newSparseSweep(c *Conv, backward bool) *sparseSweep {
	s := &sparseSweep{kernel: c.Window}
	s.sweep = sweep{
		images: c.N, groups: c.Groups, sources: c.C / c.Groups, results: c.M / c.Groups,
		taps: c.taps(), backward: backward, set: 1,
	}
	if backward {
		s.sources, s.results = s.results, s.sources
	}
	s.isa, s.axes = &active.sweep, c.Window.axes(backward)
	s.cut()
	h, w := &s.axes[1], &s.axes[2]
	s.planes = newPlanes(s.isa, s.axes, s.rows, s.cols)
	tile := s.isa.cols()
	phases := len(h.phases) * len(w.phases)
	s.panels = blocks((s.rows-1)*s.pitch+s.cols, tile)
	s.panels = min(s.panels, max(4, sweepResults/(phases*s.block*tile)/4*4))
	s.pitchC = s.panels*tile + 16
	s.sizeC = phases * s.block * s.pitchC
	for _, p := range s.axes[0].phases {
		depth := sweepDepth{taps: p.taps, channelSize: len(p.taps) * s.slice()}
		s.sizePlanes = max(s.sizePlanes, s.sources*depth.channelSize+tile+w.shared())
		for _, row := range h.phases {
			for _, col := range w.phases {
				depth.phases = append(depth.phases, sweepPhase{row: row, col: col})
				s.lists = append(s.lists, lists{isa: &active.sparse})
			}
		}
		s.depths = append(s.depths, depth)
	}
	if s.need() > sweepLimit {
		return nil
	}
	return s
}

// update makes the lists.
func (s *sparseSweep) update(z *Pruned) {
	if s.version == z.version {
		return
	}
	s.version = z.version
	at := 0
	for d := range s.depths {
		for p := range s.depths[d].phases {
			s.list(&s.lists[at], &s.depths[d], &s.depths[d].phases[p], z)
			at++
		}
	}
}

// list makes the lists of a phase.
func (s *sparseSweep) list(l *lists, depth *sweepDepth, p *sweepPhase, z *Pruned) {
	kernel := s.kernel.Kernel
	l.start()
	for row := range s.groups * s.results {
		group, result := row/s.results, row%s.results
		for c := range s.sources {
			weight := (row*s.sources + c) * s.taps
			if s.backward {
				weight = ((group*s.sources+c)*s.results + result) * s.taps
			}
			for slice, td := range depth.taps {
				for _, th := range p.row.taps {
					for _, tw := range p.col.taps {
						tap := weight + (td.tap*kernel[1]+th.tap)*kernel[2] + tw.tap
						if z.keep[tap] {
							l.add(tap, c*depth.channelSize+s.offset(slice, th, tw))
						}
					}
				}
			}
		}
		l.end()
	}
	l.close(z.version)
}

type sparseSweepArgs struct {
	sweepArgs
	s *sparseSweep
}

var sparseSweepParts = split(func(a *sparseSweepArgs, lo, hi int) {
	s := a.s
	mem := getMemory(s.need())
	defer mem.put()
	t := sweepTask{sweepArgs: &a.sweepArgs}
	t.planes, t.c = mem.take(s.sizePlanes), mem.take(s.sizeC)
	for task := lo; task < hi; task++ {
		t.choose(task)
		s.multiply(&t)
	}
})

func (s *sparseSweep) run(x, w, y []float32, z *Pruned, ep Epilogue) {
	s.update(z)
	n := s.tasks.sets * s.tasks.groups * s.tasks.blocks * s.tasks.rows * s.tasks.cols
	work := int(float64(s.block*s.sources*s.taps*s.rows*s.cols) * float64(z.kept) / float64(len(z.keep)))
	sparseSweepParts.do(n, min(1+(1<<20)/(1+work), blocks(n, 2*wantedTasks)), sparseSweepArgs{sweepArgs{&s.sweep, x, w, y, ep}, s})
}

// multiply computes the results of a task.
func (s *sparseSweep) multiply(t *sweepTask) {
	tile, lanes := s.isa.cols(), s.isa.lanes
	total := blocks((t.rows-1)*s.pitch+t.cols, tile)
	phases := s.lists[t.frame%s.axes[0].result%s.axes[0].stride*len(t.depth.phases):]
	first := t.group*s.results + t.first
	for panel := 0; panel < total; panel += s.panels {
		panels := min(s.panels, total-panel)
		for p := range t.depth.phases {
			l := &phases[p]
			for v := 0; v < 2*panels; v += l.isa.most() {
				vectors := min(l.isa.most(), 2*panels-v)
				l.run(first, first+t.count, vectors, t.w, t.source[panel*tile+v*lanes:], nil, t.c[p*s.block*s.pitchC+v*lanes:], s.pitchC, 0)
			}
		}
		t.finish(panel, panels)
	}
}

// sparseCorrelation is a correlation of which only some weights are wanted.
type sparseCorrelation struct {
	*correlation
	lists // for each block of sources, of each channel of results
}

// update makes the lists.
func (s *sparseCorrelation) update(z *Pruned) {
	if s.version == z.version {
		return
	}
	s.start()
	for source := 0; source < s.sources; source += s.sourceBlock {
		n := min(s.sourceBlock, s.sources-source) * s.taps
		for row := range s.groups * s.results {
			weight := (row*s.sources + source) * s.taps
			for i, keep := range z.keep[weight:][:n] {
				if keep {
					s.terms = append(s.terms, int32(4*(weight+i)), s.offsets[2*i+1])
				}
			}
			s.end()
		}
	}
	s.close(z.version)
}

// add adds the products of a chunk to the weights that are wanted.
func (s *sparseCorrelation) add(t *correlationTask, x, dy []float32, frames, n, nextX, nextY int) {
	dw := t.dw[t.part*s.weights:]
	first := t.source/s.sourceBlock*s.groups*s.results + t.group*s.results + t.result
	for m := range t.results {
		row := first + m
		s.lists.isa.dots(s.terms[2*s.first[row]:], int(s.counts[row]), dy[m*s.row:], x, dw, n, frames, 4*nextY, 4*nextX, t.more)
	}
}
