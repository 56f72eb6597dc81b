package kernel

// A correlation computes the gradient of the weights of a convolution: for each
// of them the sum, over the gradients of all outputs, of the products with the
// inputs that it met. It goes through the images in chunks, of which it copies
// the inputs into planes and the gradients into rows as long as those of the
// planes, so that both can be read in step, with zeros where a row has padding.
type correlation struct {
	planes
	partialSums
	images  int
	groups  int
	sources int // channels of a group
	results int // channels of a group
	taps    int

	flat   bool // images are planes as they are
	joined bool // but those of a chunk are copied, to lie behind each other

	// A chunk: so many frames, which are images at one depth, rows and columns.
	set, rows, cols int

	// A task has so many channels of inputs and of outputs, and one of the parts of
	// the frames.
	sourceBlock, resultBlock int

	channel int     // distance between the inputs of two channels
	row     int     // distance between the gradients of two channels
	offsets []int32 // for each channel of a block and tap: 0, and a distance in bytes

	sizeX, sizeY int // working memory
}

const (
	chunkPositions = 1200      // of a chunk: a few channels fit in the L1 cache
	chunkInputs    = 112 << 10 // elements of the planes of a chunk
)

// newCorrelation plans the gradient of weights. It returns nil if plain loops
// must do it.
func newCorrelation(c *Conv) convGradient {
	isa := &active.sweep
	if isa.lanes == 0 || c.N*c.C*c.M*c.pixels()*c.outputs() == 0 {
		return nil
	}
	s := &correlation{
		images: c.N, groups: c.Groups, sources: c.C / c.Groups, results: c.M / c.Groups,
		taps: c.taps(), flat: c.plain(),
	}
	s.weights = c.M * c.weights()
	w := c.Window
	if s.flat {
		w = w.line()
	}
	axes := w.axes(false)
	h, v := &axes[1], &axes[2]
	s.rows, s.cols = h.result, v.result
	s.set = min(s.images*axes[0].result, max(1, chunkPositions/(s.rows*(s.cols+v.ahead))))
	if s.set == 1 {
		parts := blocks(s.rows*(s.cols+v.ahead), chunkPositions)
		if s.rows > 1 {
			s.rows = balanced(s.rows, blocks(s.rows, min(parts, s.rows)))
		} else {
			s.cols = min(s.cols, blocks(blocks(s.cols, parts), 64)*64)
		}
	}
	s.planes = newPlanes(isa, axes, s.rows, s.cols)
	s.channel = len(axes[0].phases[0].taps) * s.slice()
	s.row = blocks((s.rows-1)*s.pitch+s.cols, isa.lanes) * isa.lanes
	if s.flat {
		s.joined = s.set > 1 && v.result%isa.lanes != 0
		s.channel, s.row = v.result, v.result
		if s.joined {
			s.channel, s.row = s.set*v.result, s.set*v.result
		}
	}
	s.cut()
	s.place(&w)
	if s.need() > sweepLimit {
		return nil
	}
	return s
}

// cut cuts the work into tasks.
func (s *correlation) cut() {
	frames := s.images * s.axes[0].result
	work := frames * s.groups * s.results * s.sources * s.taps * s.axes[1].result * s.axes[2].result
	wanted := min(sweepTasks, 1+work>>20)
	const edge = 32 // blocks of fewer channels copy too much
	s.sourceBlock = balanced(s.sources, max(1, min(2*edge, chunkInputs/(s.channel*s.set))))
	s.resultBlock = balanced(s.results, 2*edge)
	tasks := func() int {
		return s.groups * blocks(s.sources, s.sourceBlock) * blocks(s.results, s.resultBlock)
	}
	if tasks() < wanted {
		s.resultBlock = balanced(s.results, edge)
	}
	if tasks() < wanted {
		s.sourceBlock = min(s.sourceBlock, balanced(s.sources, edge))
	}
	s.resultBlock = min(s.results, blocks(s.resultBlock, 4)*4)
	chunks := blocks(frames, s.set) * blocks(s.axes[1].result, s.rows) * blocks(s.axes[2].result, s.cols)
	s.parts = min(blocks(wanted, tasks()), chunks)
}

// place lists where the inputs of taps are.
func (s *correlation) place(w *Window) {
	d, h, v := s.axes[0].phases[0].taps, s.axes[1].phases[0].taps, s.axes[2].phases[0].taps
	for c := range s.sourceBlock {
		for slice := range d {
			for _, th := range h {
				for _, tw := range v {
					at := c * s.channel
					if !s.flat {
						at += s.offset(slice, th, tw)
					}
					s.offsets = append(s.offsets, 0, int32(4*at))
				}
			}
		}
	}
	if !s.flat {
		s.sizeX = s.set*s.sourceBlock*s.channel + s.isa.lanes + s.axes[2].shared()
		s.sizeY = s.set * s.resultBlock * s.row
	}
	if s.joined {
		s.sizeX, s.sizeY = s.sourceBlock*s.channel, s.resultBlock*s.row
	}
}

func (s *correlation) need() int { return s.sizeX + s.sizeY }

type correlationArgs struct {
	s         *correlation
	x, dy, dw []float32
	sparse    *sparseCorrelation // if only some weights are wanted
}

var correlationParts = split(correlationPart)

// run computes the gradient dw of the weights from inputs x and gradients dy of
// the outputs.
func (s *correlation) run(x, dy, dw, scratch []float32) { s.compute(x, dy, dw, scratch, nil) }

// compute is run for all weights, or for those that sparse wants.
func (s *correlation) compute(x, dy, dw, scratch []float32, sparse *sparseCorrelation) {
	sums := s.of(dw, scratch)
	if sparse != nil {
		clear(sums)
	}
	tasks := s.parts * s.groups * blocks(s.sources, s.sourceBlock) * blocks(s.results, s.resultBlock)
	frames := blocks(s.images*s.axes[0].result, s.parts)
	work := frames * s.axes[1].result * s.axes[2].result * s.resultBlock * s.sourceBlock * s.taps
	correlationParts.do(tasks, min(1+(1<<20)/work, blocks(tasks, 2*wantedTasks)), correlationArgs{s, x, dy, sums, sparse})
	s.addTo(dw, sums)
}

func correlationPart(a *correlationArgs, lo, hi int) {
	mem := getMemory(a.s.need())
	defer mem.put()
	t := correlationTask{correlationArgs: a}
	t.planes, t.rows = mem.take(a.s.sizeX), mem.take(a.s.sizeY)
	for task := lo; task < hi; task++ {
		t.run(task)
	}
}

// correlationTask computes some of the weights of a group.
type correlationTask struct {
	*correlationArgs
	planes, rows []float32 // working memory

	part                                    int // of the frames
	group, source, sources, result, results int // channels
	more                                    int // 1 if sums go on, 0 if they start
}

func (t *correlationTask) run(task int) {
	s := t.s
	next := func(n int) int {
		i := task % n
		task /= n
		return i
	}
	t.source = next(blocks(s.sources, s.sourceBlock)) * s.sourceBlock
	t.result = next(blocks(s.results, s.resultBlock)) * s.resultBlock
	t.group = next(s.groups)
	t.sources, t.results = min(s.sourceBlock, s.sources-t.source), min(s.resultBlock, s.results-t.result)
	h, w := s.axes[1].result, s.axes[2].result
	frames := s.images * s.axes[0].result
	sets, rows, cols := blocks(frames, s.set), blocks(h, s.rows), blocks(w, s.cols)
	chunks := sets * rows * cols
	t.part = task
	dw := t.dw[task*s.weights+((t.group*s.results+t.result)*s.sources+t.source)*s.taps:]
	t.more = 0
	for i := task * chunks / s.parts; i < (task+1)*chunks/s.parts; i++ {
		frame, row, col := i/cols/rows*s.set, i/cols%rows*s.rows, i%cols*s.cols
		t.chunk(dw, frame, min(s.set, frames-frame), row, min(s.rows, h-row), col, min(s.cols, w-col))
		t.more = 1
	}
}

// chunk adds up the products of a chunk.
func (t *correlationTask) chunk(dw []float32, frame, frames, row, rows, col, cols int) {
	s := t.s
	d := &s.axes[0]
	inputs, outputs := d.source*s.axes[1].source*s.axes[2].source, d.result*s.axes[1].result*s.axes[2].result
	firstX := (frame/d.result*s.groups+t.group)*s.sources + t.source
	firstY := (frame/d.result*s.groups+t.group)*s.results + t.result
	x, dy := t.x[firstX*inputs:], t.dy[firstY*outputs:]
	nextX, nextY := s.groups*s.sources*inputs, s.groups*s.results*outputs // to the next image
	n, rowY := (rows-1)*s.pitch+cols, s.row
	switch {
	case s.joined:
		for c := range t.sources {
			s.isa.copyRows(&t.planes[c*s.channel], 4*inputs, &x[c*inputs], 4*nextX, frames, inputs)
		}
		for m := range t.results {
			s.isa.copyRows(&t.rows[m*s.row], 4*outputs, &dy[m*outputs], 4*nextY, frames, outputs)
		}
		x, dy, n, frames = t.planes, t.rows, frames*n, 1
	case s.flat:
		x, dy = x[col:], dy[col:]
	default:
		nextX, nextY = s.sourceBlock*s.channel, s.resultBlock*s.row
		// Rows that fill vectors are read where they are, each like a frame.
		inPlace := frames == 1 && cols%s.isa.lanes == 0 && t.sparse == nil
		for f := range frames {
			t.loadInputs(frame+f, t.planes[f*nextX:], row, rows, col)
			if !inPlace {
				t.loadGradients(frame+f, t.rows[f*nextY:], row, rows, col, cols)
			}
			end := f*nextX + t.sources*s.channel // of the last channel, whose padding lies behind
			clear(t.planes[end:min(len(t.planes), end+s.isa.lanes+s.axes[2].shared())])
		}
		x = t.planes
		if inPlace {
			dy = dy[(frame%d.result*s.axes[1].result+row)*s.axes[2].result+col:]
			n, frames, nextX, nextY, rowY = cols, rows, s.pitch, s.axes[2].result, outputs
		} else {
			dy = t.rows
		}
	}
	if t.sparse != nil {
		t.sparse.add(t, x, dy, frames, n, nextX, nextY)
		return
	}
	k := t.sources * s.taps
	most := len(s.isa.correlate)
	parts := blocks(k, most)
	for m := 0; m < t.results; m += 4 {
		for i := range parts {
			from, to := i*k/parts, (i+1)*k/parts
			s.isa.correlate[to-from-1](&x[0], &s.offsets[2*from], &dy[m*rowY], 4*rowY, min(4, t.results-m),
				frames, n, 4*nextX, 4*nextY, &dw[m*s.sources*s.taps+from], 4*s.sources*s.taps, t.more)
		}
	}
}

// loadInputs copies the inputs of a frame into planes.
func (t *correlationTask) loadInputs(frame int, planes []float32, row, rows, col int) {
	s := t.s
	d := &s.axes[0]
	x := t.x[((frame/d.result*s.groups+t.group)*s.sources+t.source)*d.source*s.axes[1].source*s.axes[2].source:]
	s.load(planes, x, t.sources, d.phases[0].taps, frame%d.result, row, rows, col)
}

// loadGradients copies the gradients of a frame into rows.
func (t *correlationTask) loadGradients(frame int, gradients []float32, row, rows, col, cols int) {
	s := t.s
	d, h, w := &s.axes[0], &s.axes[1], &s.axes[2]
	image, z := frame/d.result, frame%d.result
	for m := range t.results {
		to := gradients[m*s.row:][:s.row]
		if s.pitch > cols {
			clear(to)
		}
		channel := (image*s.groups+t.group)*s.results + t.result + m
		from := t.dy[((channel*d.result+z)*h.result+row)*w.result+col:]
		s.isa.copyRows(&to[0], 4*s.pitch, &from[0], 4*w.result, rows, cols)
	}
}
