package kernel

// A stencil computes a convolution of each channel by itself, with a small square
// kernel and a stride of 1 or 2: as a product of matrices it would have a single
// row. It goes over the images a vector of columns at a time, from row to row.
type stencil struct {
	loops            *stencilLoops // of outputs and weights
	rows             *sweepLoops
	images, channels int
	kernel, stride   int
	pad              int // rows above the first
	in, out          size2
	forward          stencilPass
	backward         stencilPass
	weights          []stencilBlock // of columns of gradients
}

// stencilPass computes images from images.
type stencilPass struct {
	loop     stencilSlide
	from, to size2
	blocks   []stencilBlock // of columns of results
	taps     []int          // numbers of the weights; those that are negative are 0

	// Result row r meets reach rows, the first of which has the number
	// r·up/down + start.
	start, up, down, reach int
}

// first is the first row that result row r meets.
func (p *stencilPass) first(r int) int { return r*p.up/p.down + p.start }

// size2 is the size of an image.
type size2 struct{ h, w int }

func (s size2) area() int { return s.h * s.w }

// stencilBlock is a vector of columns of results or, with a stride of 2 and
// gradients of inputs as results, of pairs of them.
type stencilBlock struct {
	at    int      // first column
	col   int      // of what it reads first; may be in the padding
	masks []uint32 // of loads, then of stores
	whole int      // 1 if all lanes are stored
}

// newStencil plans a convolution, if it is of this kind.
func newStencil(t *table, c *Conv) *stencil {
	k, stride := c.Kernel[2], c.Stride[2]
	if t.stencil.lanes == 0 || c.C != c.Groups || c.M != c.C || c.N*c.C*c.pixels()*c.outputs() == 0 ||
		c.In[0] != 1 || c.Out[0] != 1 || c.Kernel[0] != 1 || c.Pad[0] != 0 ||
		k != 3 && k != 5 || c.Kernel[1] != k || stride > 2 || c.Stride[1] != stride ||
		c.Dilation[1] != 1 || c.Dilation[2] != 1 {
		return nil
	}
	s := &stencil{
		loops: t.stencilFor(max(c.In[2], c.Out[2]), stride), rows: &t.sweep,
		images: c.N, channels: c.C, kernel: k, stride: stride,
		pad: c.Pad[1], in: size2{c.In[1], c.In[2]}, out: size2{c.Out[1], c.Out[2]},
	}
	l := s.loops
	s.forward = stencilPass{
		loop: l.slide[k/2-1][stride-1], from: s.in, to: s.out,
		blocks: l.slideBlocks(k, stride, c.Pad[2], s.in.w, s.out.w, true),
		start:  -c.Pad[1], up: stride, down: 1, reach: k,
	}
	s.weights = l.slideBlocks(k, stride, c.Pad[2], s.in.w, s.out.w, false)
	s.backward = stencilPass{from: s.out, to: s.in, up: 1, down: stride}
	b := &s.backward
	for i := range k * k {
		s.forward.taps = append(s.forward.taps, i)
	}
	if stride == 1 {
		b.loop, b.start, b.reach = l.slide[k/2-1][0], c.Pad[1]-k+1, k
		b.blocks = l.slideBlocks(k, 1, k-1-c.Pad[2], s.out.w, s.in.w, true)
		for i := range k * k {
			b.taps = append(b.taps, k*k-1-i)
		}
		return s
	}
	// There is a kernel for even rows and columns, one for even rows and odd
	// columns, and so on, with as many taps each as fit all of them.
	h, w := c.backwardAxis(1), c.backwardAxis(2)
	l = t.stencilFor(max(c.In[2], c.Out[2]), 1)
	b.loop, b.start, b.reach = l.spread[k/2-1], h.planes[0], (k+1)/2
	b.blocks = l.spreadBlocks(b.reach, w.planes[0], s.out.w, s.in.w)
	for range 4 * b.reach * b.reach {
		b.taps = append(b.taps, -1)
	}
	for i, row := range h.phases {
		for j, col := range w.phases {
			for _, th := range row.taps {
				for _, tw := range col.taps {
					b.taps[((2*i+j)*b.reach+th.shift)*b.reach+tw.shift] = th.tap*k + tw.tap
				}
			}
		}
	}
	return s
}

// slideBlocks are blocks of columns from images of width in to results of width
// out. Where stores of parts of vectors are slow, blocks may overlap instead.
func (l *stencilLoops) slideBlocks(kernel, stride, pad, in, out int, overlap bool) []stencilBlock {
	var list []stencilBlock
	for at := 0; at < out; at += l.lanes {
		if overlap && l.lanes == 8 && out >= l.lanes {
			at = min(at, out-l.lanes)
		}
		b := stencilBlock{at: at, col: at*stride - pad}
		for tap := 0; tap < kernel; tap += stride {
			for v := range stride {
				from := b.col + tap + v*l.lanes
				b.masks = l.mask(b.masks, -from, in-from)
			}
		}
		b.masks = l.mask(b.masks, 0, out-at)
		if at+l.lanes <= out {
			b.whole = 1
		}
		list = append(list, b)
	}
	return list
}

// spreadBlocks are blocks of columns from gradients of width out to those of
// inputs of width in. Column 0 meets first the one at the given place.
func (l *stencilLoops) spreadBlocks(side, first, out, in int) []stencilBlock {
	var list []stencilBlock
	for at := 0; at < in; at += 2 * l.lanes {
		if l.lanes == 8 && in >= 2*l.lanes && in%2 == 0 {
			at = min(at, in-2*l.lanes)
		}
		b := stencilBlock{at: at, col: at/2 + first}
		for tap := range side {
			b.masks = l.mask(b.masks, -b.col-tap, out-b.col-tap)
		}
		b.masks = l.mask(b.masks, 0, in-at)
		b.masks = l.mask(b.masks, 0, in-at-l.lanes)
		if at+2*l.lanes <= in {
			b.whole = 1
		}
		list = append(list, b)
	}
	return list
}

// mask appends a mask of lanes from to to-1.
func (l *stencilLoops) mask(list []uint32, from, to int) []uint32 {
	bits := uint32(0)
	for i := max(0, from); i < min(l.lanes, to); i++ {
		bits |= 1 << i
	}
	if l.lanes == 16 {
		return append(list, bits)
	}
	for i := range l.lanes {
		list = append(list, -(bits >> i & 1))
	}
	return list
}

type stencilArgs struct {
	s       *stencil
	pass    *stencilPass
	x, w, y []float32
	ep      Epilogue
}

var (
	stencilImages  = split(stencilPlanes)
	stencilWeights = split(stencilWeightChannels)
)

// What is read column by column must be near. Small images are read where they
// are, those of a channel one behind the other; then those of one channel after
// the other; and large ones are copied, in strips of rows, to and from memory that
// stays in the cache. The figures are in elements.
const (
	smallImage = 2 << 10
	largeImage = 16 << 10
	stripSize  = 32 << 10
)

func (s *stencil) size() int { return max(s.in.area(), s.out.area()) }

// frames is how many images of a channel are gone through at a time.
func (s *stencil) frames() int {
	if s.size() > smallImage {
		return 1
	}
	return s.images
}

// far reports whether images are copied.
func (s *stencil) far() bool { return s.size() > largeImage }

// run computes results y from images x.
func (s *stencil) run(p *stencilPass, x, w, y []float32, ep Epilogue) {
	tasks := s.channels * s.images / s.frames()
	work := max(p.from.area(), p.to.area()) * s.frames()
	stencilImages.do(tasks, max(1, 4*chunk/work), stencilArgs{s, p, x, w, y, ep})
}

func stencilPlanes(a *stencilArgs, lo, hi int) {
	s, p := a.s, a.pass
	strip := max(2, stripSize/max(p.from.w, p.to.w)/2*2) // rows of results
	sizeX, sizeY := 0, 0
	if s.far() {
		strip = min(strip, p.to.h)
		sizeX, sizeY = ((strip-1)*p.up/p.down+p.reach)*p.from.w, strip*p.to.w
	}
	mem := getMemory(sizeX + sizeY + len(p.taps) + 1)
	defer mem.put()
	from, to, weights := mem.take(sizeX), mem.take(sizeY), mem.take(len(p.taps)+1)
	for i := lo; i < hi; i++ {
		channel, image := i%s.channels, i/s.channels*s.frames()
		w := a.w[channel*s.kernel*s.kernel:]
		for j, tap := range p.taps {
			weights[j] = 0
			if tap >= 0 {
				weights[j] = w[tap]
			}
		}
		weights[len(p.taps)] = 0
		if a.ep.Row != nil {
			weights[len(p.taps)] = a.ep.Row[channel]
		}
		plane := image*s.channels + channel
		y, x := a.y[plane*p.to.area():], a.x[plane*p.from.area():]
		if !s.far() {
			a.slide(y, x, p.start, p.from.h, p.to.h, weights)
		} else {
			for row := 0; row < p.to.h; row += strip {
				rows := min(strip, p.to.h-row)
				first := p.first(row)
				top := min(max(0, first), p.from.h-1)
				bottom := min(max(top+1, p.first(row+rows-1)+p.reach), p.from.h)
				s.rows.copyRows(&from[0], 0, &x[top*p.from.w], 0, 1, (bottom-top)*p.from.w)
				a.slide(to, from, first-top, bottom-top, rows, weights)
				s.rows.copyRows(&y[row*p.to.w], 0, &to[0], 0, 1, rows*p.to.w)
			}
		}
		a.finish(plane)
	}
}

// ahead is how far a channel is from the next: while one is worked on, the other
// is on its way into the cache.
func (s *stencil) ahead(size size2) int {
	if s.far() {
		return 0
	}
	return 4 * size.area()
}

// slide computes rows of results. The first of them meets first that row of x,
// of which there are so many.
func (a *stencilArgs) slide(y, x []float32, first, height, rows int, weights []float32) {
	s, p := a.s, a.pass
	for i := range p.blocks {
		b := &p.blocks[i]
		p.loop(&y[b.at], 4*p.to.w, &x[0], 4*b.col, 4*p.from.w, first, height, rows, s.frames(),
			4*s.channels*p.from.area(), 4*s.channels*p.to.area(), s.ahead(p.from), s.ahead(p.to), &weights[0], &b.masks[0], b.whole)
	}
}

// finish does what else the epilogue says.
func (a *stencilArgs) finish(plane int) {
	ep := a.ep
	ep.Row = nil
	if ep.empty() {
		return
	}
	area := a.pass.to.area()
	stride := a.s.channels * area
	a.s.rows.finish(&ep, 0, a.y, plane*area, stride, a.y[plane*area:], stride, a.s.frames(), area)
}

// gradient computes gradients dw of weights from inputs x and gradients dy of
// outputs.
func (s *stencil) gradient(x, dy, dw []float32) {
	grain := max(1, 4*chunk/(s.size()*s.images))
	if s.frames() == 1 && !s.far() {
		grain = max(grain, min(16, s.channels/8)) // they lie behind each other
	}
	stencilWeights.do(s.channels, grain, stencilArgs{s: s, x: x, w: dw, y: dy})
}

func stencilWeightChannels(a *stencilArgs, lo, hi int) {
	s := a.s
	taps, frames := s.kernel*s.kernel, s.frames()
	strip := max(1, stripSize/max(s.in.w, s.out.w)/s.stride) // rows of gradients
	sizeX, sizeY := 0, 0
	if s.far() {
		strip = min(strip, s.out.h)
		sizeX, sizeY = ((strip-1)*s.stride+s.kernel)*s.in.w, strip*s.out.w
	}
	size := taps * s.loops.lanes
	mem := getMemory(sizeX + sizeY + (hi-lo)*size)
	defer mem.put()
	from, to, sums := mem.take(sizeX), mem.take(sizeY), mem.take((hi-lo)*size)
	clear(sums)
	for image := 0; image < s.images; image += frames {
		for channel := lo; channel < hi; channel++ {
			sums := sums[(channel-lo)*size:][:size]
			plane := image*s.channels + channel
			dy, x := a.y[plane*s.out.area():], a.x[plane*s.in.area():]
			if !s.far() {
				a.correlate(dy, x, -s.pad, s.in.h, s.out.h, sums)
				continue
			}
			for row := 0; row < s.out.h; row += strip {
				rows := min(strip, s.out.h-row)
				first := row*s.stride - s.pad
				top := min(max(0, first), s.in.h-1)
				bottom := min(max(top+1, first+(rows-1)*s.stride+s.kernel), s.in.h)
				s.rows.copyRows(&from[0], 0, &x[top*s.in.w], 0, 1, (bottom-top)*s.in.w)
				s.rows.copyRows(&to[0], 0, &dy[row*s.out.w], 0, 1, rows*s.out.w)
				a.correlate(to, from, first-top, bottom-top, rows, sums)
			}
		}
	}
	for channel := lo; channel < hi; channel++ {
		s.loops.totals(&a.w[channel*taps], &sums[(channel-lo)*size], taps, 0)
	}
}

// correlate adds up the products of rows of gradients and inputs. The first of
// them meets first that row of x, of which there are so many.
func (a *stencilArgs) correlate(dy, x []float32, first, height, rows int, sums []float32) {
	s := a.s
	loop, at := s.loops.correlate[s.kernel/2-1][s.stride-1], s.loops.height[s.kernel/2-1]
	for i := range s.weights {
		b := &s.weights[i]
		for row := 0; row < s.kernel; row += at {
			loop(&dy[b.at], 4*s.out.w, &x[0], 4*b.col, 4*s.in.w, first+row, height, rows, s.frames(),
				4*s.channels*s.in.area(), 4*s.channels*s.out.area(), s.ahead(s.in), s.ahead(s.out), &sums[row*s.kernel*s.loops.lanes], &b.masks[0])
		}
	}
}
