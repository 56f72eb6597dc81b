package kernel

// plainForward, plainBackward and plainGradient compute any convolution in plain
// Go: as blocks of a product of matrices, of which one reads the images line by
// line, or without a product where that is too thin (see direct).
type (
	plainForward  struct{ c *Conv }
	plainBackward struct{ c *Conv }
	plainGradient struct {
		c *Conv
		partialSums
	}
)

// newPlainPass does without a plan.
func newPlainPass(c *Conv, backward bool) convPass {
	if backward {
		return plainBackward{c}
	}
	return plainForward{c}
}

type convArgs struct {
	c          *Conv
	x, w, b, y []float32
	grid       grid
	parts      int
}

var (
	convForward         = split(convForwardBlocks)
	convForwardDirect   = split(convForwardPlanes)
	convBackData        = split(convBackDataChannels)
	convBackDataPlain   = split(convBackDataBlocks)
	convBackDataDirect  = split(convBackDataPlanes)
	convBackWeight      = split(convBackWeightBlocks)
	convBackDirectParts = split(convBackWeightPlanes)
)

// run computes outputs. Blocks start from the bias.
func (p plainForward) run(x, w, y []float32, ep Epilogue) {
	c := p.c
	args := convArgs{c: c, x: x, w: w, b: ep.Row, y: y}
	if c.direct() {
		convForwardDirect.do(c.N*c.M, c.grain(), args)
	} else {
		args.grid = newGrid(c.M/c.Groups, c.outputs())
		convForward.do(c.N*c.Groups*args.grid.count(), 1, args)
	}
	ep.Row = nil
	ep.apply(y, 0, 0, 0)
}

// convForwardBlocks multiplies the weights of a group by the lines of an image.
func convForwardBlocks(a *convArgs, lo, hi int) {
	c := a.c
	ws := getWorkspace()
	defer ws.put()
	k, outputs, pixels := c.weights(), c.outputs(), c.pixels()
	channels, filters := c.C/c.Groups, c.M/c.Groups
	for task := lo; task < hi; task++ {
		r := a.grid.region(task % a.grid.count())
		image := task / a.grid.count() // of a group
		group := image % c.Groups
		y := a.y[image*filters*outputs+r.i0*outputs+r.j0:]
		if a.b != nil {
			for i := range r.i1 - r.i0 {
				fill(y[i*outputs:][:r.j1-r.j0], a.b[group*filters+r.i0+i])
			}
		}
		ws.multiply(r, k,
			ws.matrix(0, a.w[group*filters*k:], k, true),
			ws.lines(1, &c.Window, a.x[image*channels*pixels:][:channels*pixels], false),
			a.b != nil, y, outputs)
	}
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// run computes gradients dx of inputs from those of outputs.
func (p plainBackward) run(dy, w, dx []float32, ep Epilogue) {
	c := p.c
	args := convArgs{c: c, x: dx, w: w, y: dy}
	switch {
	case c.direct():
		convBackDataDirect.do(c.N*c.C, c.grain(), args)
	case c.plain():
		args.grid = newGrid(c.C/c.Groups, c.outputs())
		convBackDataPlain.do(c.N*c.Groups*args.grid.count(), 1, args)
	default:
		args.parts = blocks(c.C/c.Groups, c.channelBlock())
		convBackData.do(c.N*c.Groups*args.parts, 1, args)
	}
	for i := range c.N * c.C {
		at := i * c.pixels()
		ep.apply(dx[at:][:c.pixels()], i%c.C, 0, at)
	}
}

// channelBlock is how many input channels a task of BackwardData works on.
func (c *Conv) channelBlock() int { return max(1, maxEdge/c.taps()) }

// convBackDataChannels computes what each output sends back through each tap, a
// block at a time, and adds it to the inputs.
func convBackDataChannels(a *convArgs, lo, hi int) {
	c := a.c
	ws := getWorkspace()
	defer ws.put()
	k, taps, outputs, pixels := c.weights(), c.taps(), c.outputs(), c.pixels()
	channels, filters := c.C/c.Groups, c.M/c.Groups
	for task := lo; task < hi; task++ {
		image := task / a.parts
		first := task % a.parts * c.channelBlock()
		last := min(first+c.channelBlock(), channels)
		w := ws.matrix(0, a.w[image%c.Groups*filters*k:], k, false)
		dy := ws.matrix(1, a.y[image*filters*outputs:], outputs, false)
		dx := imageLines{&c.Window, a.x[image*channels*pixels:][:channels*pixels]}
		clear(dx.data[first*pixels : last*pixels])
		var r region
		for r.i0 = first * taps; r.i0 < last*taps; r.i0 = r.i1 {
			r.i1 = min(r.i0+maxEdge, last*taps)
			for r.j0 = 0; r.j0 < outputs; r.j0 = r.j1 {
				r.j1 = min(r.j0+maxEdge, outputs)
				n := r.j1 - r.j0
				ws.multiply(r, filters, w, dy, false, ws.buf[:], n)
				for i := r.i0; i < r.i1; i++ {
					dx.addLine(i, r.j0, ws.buf[(i-r.i0)*n:][:n])
				}
			}
		}
	}
}

// convBackDataBlocks is convBackDataChannels for kernels of one tap that need
// no adding up.
func convBackDataBlocks(a *convArgs, lo, hi int) {
	c := a.c
	ws := getWorkspace()
	defer ws.put()
	pixels, channels, filters := c.pixels(), c.C/c.Groups, c.M/c.Groups
	for task := lo; task < hi; task++ {
		r := a.grid.region(task % a.grid.count())
		image := task / a.grid.count()
		ws.multiply(r, filters,
			ws.matrix(0, a.w[image%c.Groups*filters*channels:], channels, false),
			ws.matrix(1, a.y[image*filters*pixels:], pixels, false),
			false, a.x[image*channels*pixels+r.i0*pixels+r.j0:], pixels)
	}
}

// wantedTasks is how many tasks BackwardWeights makes at least, if there are
// images enough: it has a sum over images to share out.
const wantedTasks = 8

// newPlainGradient chooses the parts that images are summed up in.
func newPlainGradient(c *Conv) convGradient {
	p := &plainGradient{c, partialSums{1, c.M * c.weights()}}
	if !c.direct() {
		g := newGrid(c.M/c.Groups, c.weights())
		p.parts = max(1, min(c.N, blocks(wantedTasks, max(1, c.Groups*g.count()))))
	}
	return p
}

// run computes the gradient dw of the weights from inputs x and gradients dy of
// the outputs.
func (p *plainGradient) run(x, dy, dw, scratch []float32) {
	c := p.c
	sums := p.of(dw, scratch)
	args := convArgs{c: c, x: x, w: sums, y: dy, parts: p.parts}
	if c.direct() {
		convBackDirectParts.do(c.M, 1, args)
	} else {
		args.grid = newGrid(c.M/c.Groups, c.weights())
		convBackWeight.do(p.parts*c.Groups*args.grid.count(), 1, args)
	}
	p.addTo(dw, sums)
}

// convBackWeightBlocks multiplies gradients of outputs by the lines of the
// images, and sums over a part of the images.
func convBackWeightBlocks(a *convArgs, lo, hi int) {
	c := a.c
	ws := getWorkspace()
	defer ws.put()
	k, outputs, pixels := c.weights(), c.outputs(), c.pixels()
	channels, filters := c.C/c.Groups, c.M/c.Groups
	for task := lo; task < hi; task++ {
		r := a.grid.region(task % a.grid.count())
		group := task / a.grid.count() % c.Groups
		part := task / a.grid.count() / c.Groups
		dw := a.w[part*c.M*k+(group*filters+r.i0)*k+r.j0:]
		first := part * c.N / a.parts
		for n := first; n < (part+1)*c.N/a.parts; n++ {
			image := n*c.Groups + group
			ws.multiply(r, outputs,
				ws.matrix(0, a.y[image*filters*outputs:], outputs, true),
				ws.lines(1, &c.Window, a.x[image*channels*pixels:][:channels*pixels], true),
				n > first, dw, k)
		}
	}
}
