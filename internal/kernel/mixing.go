package kernel

// A mixingPass computes a convolution with a kernel of one element, or the gradient
// of its inputs: each pixel of a result is a sum of the same pixel of all channels
// of the source, so that images are the columns of a matrix as they are. A task
// copies a piece of the source, in long runs, into panels that stay in the L2
// cache, and multiplies these by the weights. Pieces do not end where images do.
type mixingPass struct {
	isa              *sweepLoops
	images, area     int // pixels of an image
	sources, results int // channels
	backward         bool

	cols, rows int     // of a task: pixels of all images behind each other, channels of results
	deep       int     // channels of the source whose products are summed up at once
	offsets    []int32 // for each of deep channels: distances in bytes of a weight and of a panel's row

	// Results that are written past the caches: what reads them next would not find
	// them there anyway.
	stream bool

	pitchA, pitchC      int
	sizeA, sizeB, sizeC int // working memory
}

const (
	mixingDeep  = 288
	mixingRows  = 240
	mixingCols  = 512
	mixingRoom  = 96 << 10 // elements of panels and sums of a task
	mixingTasks = 4        // wanted, so that threads share the work evenly
)

// streamed is so many elements of results that no cache is expected to hold them.
var streamed = 2 << 20

// mixes tells whether a convolution is of this kind.
func (c *Conv) mixes() bool {
	return active.sweep.lanes > 0 && c.Groups == 1 && c.plain() && c.N*c.C*c.M > 0 && c.pixels() >= panelCols
}

// newMixingPass plans a pass. It returns nil for convolutions of another kind.
func newMixingPass(c *Conv, backward bool) convPass {
	if !c.mixes() {
		return nil
	}
	isa := &active.sweep
	s := &mixingPass{isa: isa, images: c.N, area: c.pixels(), sources: c.C, results: c.M, backward: backward}
	if backward {
		s.sources, s.results = s.results, s.sources
	}
	columns := s.images * s.area
	s.deep = balanced(s.sources, mixingDeep)
	s.rows = balanced(s.results, mixingRows)
	s.cols = min(mixingCols, max(2*panelCols, mixingRoom/(s.deep+s.rows)))
	s.cols = blocks(balanced(columns, s.cols), panelCols) * panelCols
	if wanted := min(mixingTasks, blocks(s.results*s.sources*columns, taskWork)); blocks(columns, s.cols) < wanted {
		s.rows = min(s.rows, max(2*isa.rows(), s.results*blocks(columns, s.cols)/wanted))
	}
	s.stream = s.results*columns > streamed
	s.pitchA = blocks(s.deep, 16)*16 + 16
	s.pitchC = s.cols + 16
	s.sizeA, s.sizeB, s.sizeC = isa.rows()*s.pitchA, s.cols/panelCols*panelPitch(s.deep), isa.rows()*s.pitchC
	if s.deep < s.sources {
		s.sizeC = s.rows * s.pitchC
	}
	for k := range s.deep {
		weight := k
		if backward {
			weight = k * isa.rows()
		}
		s.offsets = append(s.offsets, int32(4*weight), int32(4*k*panelCols))
	}
	return s
}

type mixingArgs struct {
	s       *mixingPass
	x, w, y []float32
	ep      Epilogue
}

var mixingPieces = split(mixingPiece)

// run computes the results y of source x under weights w.
func (s *mixingPass) run(x, w, y []float32, ep Epilogue) {
	tasks := blocks(s.images*s.area, s.cols) * blocks(s.results, s.rows)
	work := s.rows * s.sources * s.cols
	mixingPieces.do(tasks, min(1+taskWork/work, blocks(tasks, 2*wantedTasks)), mixingArgs{s, x, w, y, ep})
}

func mixingPiece(a *mixingArgs, lo, hi int) {
	s := a.s
	mem := getMemory(s.sizeA + s.sizeB + s.sizeC)
	defer mem.put()
	t := mixingTask{mixingArgs: a, a: mem.take(s.sizeA), b: mem.take(s.sizeB), c: mem.take(s.sizeC)}
	parts := blocks(s.results, s.rows)
	for i := lo; i < hi; i++ {
		t.col, t.row = i/parts*s.cols, i%parts*s.rows
		t.cols, t.rows = min(s.cols, s.images*s.area-t.col), min(s.rows, s.results-t.row)
		for k := 0; k < s.sources; k += s.deep {
			t.pack(k, min(s.deep, s.sources-k))
			t.multiply(k, min(s.deep, s.sources-k))
		}
	}
}

// mixingTask is one task: some columns, and some rows of the result there.
type mixingTask struct {
	*mixingArgs
	a, b, c              []float32 // working memory
	col, cols, row, rows int
}

// runs calls f for what lies together of the columns of the task: n pixels of an
// image, and the place of the first among the columns.
func (t *mixingTask) runs(f func(image, pixel, at, n int)) {
	for at := 0; at < t.cols; {
		image, pixel := (t.col+at)/t.s.area, (t.col+at)%t.s.area
		n := min(t.s.area-pixel, t.cols-at)
		f(image, pixel, at, n)
		at += n
	}
}

// pack copies deep channels of the source, from k on, into panels.
func (t *mixingTask) pack(k, deep int) {
	s := t.s
	pitch := panelPitch(s.deep)
	t.runs(func(image, pixel, at, n int) {
		x := t.x[(image*s.sources+k)*s.area+pixel:]
		panel, lane := at/panelCols, at%panelCols
		if lane > 0 || n < panelCols {
			head := min(n, panelCols-lane)
			s.isa.copyRows(&t.b[panel*pitch+lane], 4*panelCols, &x[0], 4*s.area, deep, head)
			if head == n {
				return
			}
			panel, n, x = panel+1, n-head, x[head:]
		}
		if whole := n / panelCols; whole > 0 {
			s.isa.packAhead(&t.b[panel*pitch], 4*pitch, &x[0], 4*s.area, deep, whole, 4*s.cols)
			panel += whole
		}
		if rest := n % panelCols; rest > 0 {
			s.isa.copyRows(&t.b[panel*pitch], 4*panelCols, &x[n-rest], 4*s.area, deep, rest)
		}
	})
}

// multiply adds up the products of deep channels, from k on. A tile of weights that
// is done with the last of them has results: to write those out takes time in which
// the next can be computed.
func (t *mixingTask) multiply(k, deep int) {
	s := t.s
	pitch, tile := panelPitch(s.deep), s.isa.cols()
	rowA := 4 * s.pitchA
	if s.backward {
		rowA = 4
	}
	tiles := blocks(t.rows, s.isa.rows())
	for i := range tiles {
		from, to := i*t.rows/tiles, (i+1)*t.rows/tiles
		t.packWeights(t.row+from, to-from, k, deep)
		f := s.isa.tile[to-from-1]
		c := t.c
		if s.deep < s.sources {
			c = c[from*s.pitchC:]
		}
		for j := 0; j < t.cols; j += tile {
			f(&t.a[0], rowA, &s.offsets[0], deep, &t.b[j/panelCols*pitch+j%panelCols], &c[j], 4*s.pitchC, k)
		}
		if k+deep == s.sources {
			t.finish(t.row+from, to-from, c)
		}
	}
}

// packWeights copies the weights of a tile. Backward, those of a channel of the
// source lie together.
func (t *mixingTask) packWeights(row, rows, k, deep int) {
	s := t.s
	if s.backward {
		s.isa.copyRows(&t.a[0], 4*s.isa.rows(), &t.w[k*s.results+row], 4*s.results, deep, rows)
		return
	}
	s.isa.copyRows(&t.a[0], 4*s.pitchA, &t.w[row*s.sources+k], 4*s.sources, rows, deep)
}

// finish moves rows of results to where they belong, and does what the epilogue
// says.
func (t *mixingTask) finish(first, rows int, c []float32) {
	s := t.s
	move := s.isa.copyRows
	if s.stream {
		move = s.isa.streamRows
	}
	t.runs(func(image, pixel, at, n int) {
		y := (image*s.results+first)*s.area + pixel
		if t.ep.Empty() {
			move(&t.y[y], 4*s.area, &c[at], 4*s.pitchC, rows, n)
			return
		}
		s.isa.finish(&t.ep, first, t.y, y, s.area, c[at:], s.pitchC, rows, n)
	})
}
