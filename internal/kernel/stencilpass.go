package kernel

// A stencilPass computes outputs of a stencil from inputs, or gradients of inputs
// from those of outputs.
type stencilPass struct {
	*stencil
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

// newStencilPass plans a pass. It returns nil for convolutions of another kind.
func newStencilPass(c *Conv, backward bool) convPass {
	s := newStencil(c)
	if s == nil {
		return nil
	}
	k, p := s.kernel, &stencilPass{stencil: s, from: s.in, to: s.out, up: s.stride, down: 1}
	if backward {
		p.from, p.to, p.up, p.down = s.out, s.in, 1, s.stride
	}
	if backward && s.stride == 2 {
		p.planSpread(c)
		return p
	}
	l, left := s.loopsFor(s.stride), c.Pad[2]
	p.loop, p.start, p.reach = l.slide[k/2-1][s.stride-1], -s.pad, k
	if backward { // the same with taps in reverse order
		p.start, left = s.pad-k+1, k-1-c.Pad[2]
	}
	p.blocks = l.slideBlocks(k, s.stride, left, p.from.w, p.to.w, true)
	for i := range k * k {
		if backward {
			i = k*k - 1 - i
		}
		p.taps = append(p.taps, i)
	}
	return p
}

// planSpread plans gradients of inputs with a stride of 2. There is a kernel for
// even rows and columns, one for even rows and odd columns, and so on, with as
// many taps each as fit all of them.
func (p *stencilPass) planSpread(c *Conv) {
	k, h, w := p.kernel, c.backwardAxis(1), c.backwardAxis(2)
	l := p.loopsFor(1)
	p.loop, p.start, p.reach = l.spread[k/2-1], h.planes[0], (k+1)/2
	p.blocks = l.spreadBlocks(p.reach, w.planes[0], p.from.w, p.to.w)
	for range 4 * p.reach * p.reach {
		p.taps = append(p.taps, -1)
	}
	for i, row := range h.phases {
		for j, col := range w.phases {
			for _, th := range row.taps {
				for _, tw := range col.taps {
					p.taps[((2*i+j)*p.reach+th.shift)*p.reach+tw.shift] = th.tap*k + tw.tap
				}
			}
		}
	}
}

type stencilArgs struct {
	p       *stencilPass
	x, w, y []float32
	ep      Epilogue
}

var stencilImages = split(stencilPlanes)

// run computes results y from images x.
func (p *stencilPass) run(x, w, y []float32, ep Epilogue) {
	tasks := p.channels * p.images / p.frames()
	work := max(p.from.area(), p.to.area()) * p.frames()
	stencilImages.do(tasks, max(1, 4*chunk/work), stencilArgs{p, x, w, y, ep})
}

func stencilPlanes(a *stencilArgs, lo, hi int) {
	p := a.p
	strip := max(2, stripSize/max(p.from.w, p.to.w)/2*2) // rows of results
	sizeX, sizeY := 0, 0
	if p.far() {
		strip = min(strip, p.to.h)
		sizeX, sizeY = ((strip-1)*p.up/p.down+p.reach)*p.from.w, strip*p.to.w
	}
	mem := getMemory(sizeX + sizeY + len(p.taps) + 1)
	defer mem.put()
	from, to, weights := mem.take(sizeX), mem.take(sizeY), mem.take(len(p.taps)+1)
	for i := lo; i < hi; i++ {
		channel, image := i%p.channels, i/p.channels*p.frames()
		w := a.w[channel*p.kernel*p.kernel:]
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
		plane := image*p.channels + channel
		y, x := a.y[plane*p.to.area():], a.x[plane*p.from.area():]
		if !p.far() {
			a.slide(y, x, p.start, p.from.h, p.to.h, weights)
		} else {
			for row := 0; row < p.to.h; row += strip {
				rows := min(strip, p.to.h-row)
				first := p.first(row)
				top := min(max(0, first), p.from.h-1)
				bottom := min(max(top+1, p.first(row+rows-1)+p.reach), p.from.h)
				p.rows.copyRows(&from[0], 0, &x[top*p.from.w], 0, 1, (bottom-top)*p.from.w)
				a.slide(to, from, first-top, bottom-top, rows, weights)
				p.rows.copyRows(&y[row*p.to.w], 0, &to[0], 0, 1, rows*p.to.w)
			}
		}
		a.finish(plane)
	}
}

// slide computes rows of results. The first of them meets first that row of x,
// of which there are so many.
func (a *stencilArgs) slide(y, x []float32, first, height, rows int, weights []float32) {
	p := a.p
	for i := range p.blocks {
		b := &p.blocks[i]
		p.loop(&y[b.at], 4*p.to.w, &x[0], 4*b.col, 4*p.from.w, first, height, rows, p.frames(),
			4*p.channels*p.from.area(), 4*p.channels*p.to.area(), p.ahead(p.from), p.ahead(p.to), &weights[0], &b.masks[0], b.whole)
	}
}

// finish does what else the epilogue says.
func (a *stencilArgs) finish(plane int) {
	ep := a.ep
	ep.Row = nil
	if ep.Empty() {
		return
	}
	area := a.p.to.area()
	stride := a.p.channels * area
	a.p.rows.finish(&ep, 0, a.y, plane*area, stride, a.y[plane*area:], stride, a.p.frames(), area)
}
