package kernel

// A stencilGradient computes the gradient of the weights of a stencil: for each of
// them a vector of sums, which are added up at the end.
type stencilGradient struct {
	*stencil
	loops  *stencilLoops
	blocks []stencilBlock // of columns of gradients
}

// newStencilGradient plans it. It returns nil for convolutions of another kind.
func newStencilGradient(c *Conv) convGradient {
	s := newStencil(c)
	if s == nil {
		return nil
	}
	l := s.loopsFor(s.stride)
	return &stencilGradient{s, l, l.slideBlocks(s.kernel, s.stride, c.Pad[2], s.in.w, s.out.w, false)}
}

func (s *stencilGradient) scratch() int { return 0 }

type stencilGradientArgs struct {
	s         *stencilGradient
	x, dy, dw []float32
}

var stencilWeights = split(stencilWeightChannels)

// run computes gradients dw of weights from inputs x and gradients dy of outputs.
func (s *stencilGradient) run(x, dy, dw, _ []float32) {
	grain := max(1, 4*chunk/(s.size()*s.images))
	if s.frames() == 1 && !s.far() {
		grain = max(grain, min(16, s.channels/8)) // they lie behind each other
	}
	stencilWeights.do(s.channels, grain, stencilGradientArgs{s, x, dy, dw})
}

func stencilWeightChannels(a *stencilGradientArgs, lo, hi int) {
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
			dy, x := a.dy[plane*s.out.area():], a.x[plane*s.in.area():]
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
		s.loops.totals(&a.dw[channel*taps], &sums[(channel-lo)*size], taps, 0)
	}
}

// correlate adds up the products of rows of gradients and inputs. The first of
// them meets first that row of x, of which there are so many.
func (a *stencilGradientArgs) correlate(dy, x []float32, first, height, rows int, sums []float32) {
	s := a.s
	loop, at := s.loops.correlate[s.kernel/2-1][s.stride-1], s.loops.height[s.kernel/2-1]
	for i := range s.blocks {
		b := &s.blocks[i]
		for row := 0; row < s.kernel; row += at {
			loop(&dy[b.at], 4*s.out.w, &x[0], 4*b.col, 4*s.in.w, first+row, height, rows, s.frames(),
				4*s.channels*s.in.area(), 4*s.channels*s.out.area(), s.ahead(s.in), s.ahead(s.out), &sums[row*s.kernel*s.loops.lanes], &b.masks[0])
		}
	}
}
