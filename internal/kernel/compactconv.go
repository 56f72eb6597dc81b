package kernel

import "math"

// CompactConv is a convolution of which whole channels of inputs or outputs have
// no weights.
type CompactConv struct {
	conv, small *Conv
	live
}

// NewCompactConv prepares a convolution like c.
func NewCompactConv(c *Conv) *CompactConv {
	return &CompactConv{conv: c, live: live{allRows: c.M, allCols: c.C / c.Groups, size: c.taps()}}
}

// Cost is the time it takes as a share of that of the dense convolution.
func (v *CompactConv) Cost(z *Pruned) float64 {
	if v.conv.Groups > 1 {
		return math.Inf(1)
	}
	if v.update(z) {
		v.small = nil
	}
	return v.cost(compactConvCost)
}

// plan makes the convolution of what is left.
func (v *CompactConv) plan() {
	if v.small == nil {
		v.small = NewConv(v.conv.N, len(v.cols), len(v.rows), 1, v.conv.Window)
	}
}

// Forward is that of Conv. Cost has seen the zeros of w; so it is with the others.
func (v *CompactConv) Forward(x, w, y []float32, ep Epilogue) {
	v.conv.check(x, w, y)
	v.conv.checkEpilogue(&ep, len(y), v.conv.M)
	v.run((*Conv).Forward, x, v.inputs(), w, y, v.outputs(), ep)
}

// BackwardData is that of Conv.
func (v *CompactConv) BackwardData(dy, w, dx []float32, ep Epilogue) {
	v.conv.check(dx, w, dy)
	v.conv.checkEpilogue(&ep, len(dx), v.conv.C)
	v.run((*Conv).BackwardData, dy, v.outputs(), w, dx, v.inputs(), ep)
}

// channels are those of a tensor that are left, of all, with so many elements each.
type channels struct {
	left      []int
	all, size int
}

func (v *CompactConv) inputs() channels  { return channels{v.cols, v.allCols, v.conv.pixels()} }
func (v *CompactConv) outputs() channels { return channels{v.rows, v.allRows, v.conv.outputs()} }

// run computes y, which has the channels to, from x, which has the channels from.
func (v *CompactConv) run(f func(c *Conv, x, w, y []float32, ep Epilogue), x []float32, from channels, w, y []float32, to channels, ep Epilogue) {
	v.plan()
	n := v.conv.N
	inputs, results := n*len(from.left)*from.size, n*len(to.left)*to.size
	shared := getShared(inputs + v.weights() + results)
	defer shared.put()
	smallX, smallW, smallY := shared.take(inputs), shared.take(v.weights()), shared.take(results)
	pickChannels(smallX, x, n, from.left, from.all, from.size)
	v.pick(smallW, w)
	if len(to.left) == to.all {
		f(v.small, smallX, smallW, y, ep)
		return
	}
	f(v.small, smallX, smallW, smallY, Epilogue{})
	spreadChannels(y, smallY, n, to.left, to.all, to.size)
	finishParts.do(n*to.all, max(1, chunk/to.size), finishArgs{y, ep, to.size, to.all})
}

// BackwardWeights is that of Conv, with zeros in dw where z has them.
func (v *CompactConv) BackwardWeights(x, dy, dw []float32, z *Pruned) {
	v.conv.check(x, dw, dy)
	v.plan()
	s := v.small
	inputs, outputs := s.N*s.C*s.pixels(), s.N*s.M*s.outputs()
	shared := getShared(inputs + outputs + v.weights() + s.Scratch())
	defer shared.put()
	smallX, smallY, smallW := shared.take(inputs), shared.take(outputs), shared.take(v.weights())
	pickChannels(smallX, x, s.N, v.cols, v.allCols, s.pixels())
	pickChannels(smallY, dy, s.N, v.rows, v.allRows, s.outputs())
	s.BackwardWeights(smallX, smallY, smallW, shared.take(s.Scratch()))
	v.spread(dw, smallW)
	z.Clear(dw)
}

// pickChannels copies some of all channels of x, each of so many elements; n is how
// often all channels lie behind each other.
func pickChannels(to, x []float32, n int, some []int, all, size int) {
	compactParts.do(n, max(1, chunk/(len(some)*size)), compactArgs{to: to, from: x, inner: some, stride: all, size: size})
}

// spreadChannels is the reverse, and puts zeros elsewhere.
func spreadChannels(x, from []float32, n int, some []int, all, size int) {
	clear(x)
	compactParts.do(n, max(1, chunk/(len(some)*size)), compactArgs{to: x, from: from, inner: some, stride: all, size: size, back: true})
}
