package op

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/kernel"
)

// ConvSpec says how a convolution slides over an image. Lists have an element
// for each spatial axis, at most three; Pads has the elements before the first
// input along each axis, then those behind the last. Nil lists mean strides and
// dilations of 1, no padding, and the kernel of the weights; Groups 0 means 1.
type ConvSpec struct {
	Kernel, Strides, Dilations, Pads []int
	Groups                           int
}

// Conv is the convolution of x (N, C, spatial) with the weights w (M, C/Groups,
// kernel) plus the bias b (M), which may be nil. The result has shape (N, M,
// spatial).
func Conv(x, w, b *G.Node, s ConvSpec) (*G.Node, error) {
	xs, ws := x.Shape(), w.Shape()
	fail := func(format string, args ...any) (*G.Node, error) {
		return nil, fmt.Errorf("Conv: input %v, weights %v: %s", xs, ws, fmt.Sprintf(format, args...))
	}
	if err := needFloat("Conv", x, w); err != nil {
		return nil, err
	}
	if len(xs) != len(ws) || len(xs) < 3 || len(xs) > 5 {
		return fail("want the same rank, 3 to 5, for both")
	}
	if ws[0] == 0 {
		return fail("no output channels")
	}
	groups := max(s.Groups, 1)
	if s.Groups < 0 || xs[1]%groups != 0 || ws[0]%groups != 0 || ws[1] != xs[1]/groups {
		return fail("%d input channels and %d output channels in %d groups do not fit", xs[1], ws[0], s.Groups)
	}
	if s.Kernel != nil && !slices.Equal(s.Kernel, ws[2:]) {
		return fail("kernel is said to be %v", s.Kernel)
	}
	slide, err := newSliding(xs[2:], ws[2:], s.Strides, s.Dilations, s.Pads, false)
	if err != nil {
		return fail("%v", err)
	}
	shape := append(tensor.Shape{xs[0], ws[0]}, slide.out...)
	conv := newPrunedConv(xs[0], xs[1], ws[0], groups, slide.window())
	flops := 2 * float64(shape.TotalSize()) * float64(ws.TotalSize()/ws[0])
	o := Op{
		Name:  "Conv",
		Shape: shape,
		Dtype: tensor.Float32,
		Diff:  []bool{true, true},
		Flops: flops,
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			return convGrads(conv, flops, in, g)
		},
	}
	along := finisher{rows: 1, cols: -1, upTo: gated, weights: ws.TotalSize(), results: shape.TotalSize(), run: conv.forward}
	if b == nil {
		o.finishing(along)
		return apply(o, x, w)
	}
	if err := needFloat("Conv", b); err != nil {
		return nil, err
	}
	if bs := b.Shape(); len(bs) != 1 || bs[0] != ws[0] {
		return fail("got a bias of shape %v, want (%d)", bs, ws[0])
	}
	o.Diff = append(o.Diff, true)
	along.done = []doing{{part: addBias, row: true, input: 2}}
	o.finishing(along)
	return apply(o, x, w, b)
}

// convGrads are the gradients of input, weights and, if there is one, bias.
func convGrads(conv *prunedConv, flops float64, in G.Nodes, g *G.Node) (G.Nodes, error) {
	back := Op{
		Name:  "ConvInputGrad",
		Shape: in[0].Shape(),
		Dtype: tensor.Float32,
		Flops: flops,
	}
	back.finishing(finisher{rows: 1, cols: -1, upTo: gated, run: conv.backwardData})
	dx, err := apply(back, g, in[1])
	if err != nil {
		return nil, err
	}
	dw, err := apply(Op{
		Name:    "ConvWeightGrad",
		Shape:   in[1].Shape(),
		Dtype:   tensor.Float32,
		Scratch: conv.Scratch(),
		Flops:   flops,
		Run:     conv.backwardWeights,
	}, in[0], g)
	if err != nil || len(in) == 2 {
		return G.Nodes{dx, dw}, err
	}
	db, err := channelSums("ConvBiasGrad", g)
	return G.Nodes{dx, dw, db}, err
}

// channelSums is the sum of each channel of x (N, C, spatial).
func channelSums(name string, x *G.Node) (*G.Node, error) {
	channels := channelsOf(x.Shape())
	return apply(Op{
		Name:  name,
		Shape: tensor.Shape{channels.C},
		Dtype: tensor.Float32,
		Run: func(c *Call) error {
			kernel.ChannelSums(channels, c.In[0].F, c.Out.F)
			return nil
		},
	}, x)
}

// sliding is a window on its way over an image, with an element in each list
// for each spatial axis.
type sliding struct {
	in, out, kernel, strides, dilations []int
	begin, end                          []int // padding
}

// newSliding checks a window and computes the sizes of its output. With ceil,
// a last window that is not filled counts, unless it starts in the padding
// behind the input.
func newSliding(in, kernel, strides, dilations, pads []int, ceil bool) (sliding, error) {
	s, err := checkSliding(in, kernel, strides, dilations, pads)
	if err != nil {
		return s, err
	}
	s.in = in
	for i := range in {
		span := (kernel[i]-1)*s.dilations[i] + 1
		room := in[i] + s.begin[i] + s.end[i] - span
		if room < 0 {
			return s, fmt.Errorf("a window of %d does not fit into %d elements and padding of %d and %d", span, in[i], s.begin[i], s.end[i])
		}
		out := room/s.strides[i] + 1
		if ceil {
			out = (room+s.strides[i]-1)/s.strides[i] + 1
			if (out-1)*s.strides[i] >= in[i]+s.begin[i] {
				out--
			}
		}
		s.out = append(s.out, out)
	}
	return s, nil
}

// checkSliding checks all of a window but the sizes of its images, which have as
// many axes as size, and fills in what is nil.
func checkSliding(size, kernel, strides, dilations, pads []int) (sliding, error) {
	axes := len(size)
	ones := slices.Repeat([]int{1}, axes)
	if strides == nil {
		strides = ones
	}
	if dilations == nil {
		dilations = ones
	}
	if pads == nil {
		pads = make([]int, 2*axes)
	}
	if len(kernel) != axes || len(strides) != axes || len(dilations) != axes || len(pads) != 2*axes {
		return sliding{}, fmt.Errorf("%d spatial axes, but kernel %v, strides %v, dilations %v, pads %v", axes, kernel, strides, dilations, pads)
	}
	s := sliding{kernel: kernel, strides: strides, dilations: dilations, begin: pads[:axes], end: pads[axes:]}
	for i := range axes {
		if kernel[i] < 1 || strides[i] < 1 || dilations[i] < 1 || s.begin[i] < 0 || s.end[i] < 0 {
			return s, fmt.Errorf("kernel %v, strides %v, dilations %v, pads %v: want sizes of 1 or more and no negative padding", kernel, strides, dilations, pads)
		}
	}
	return s, nil
}

// window is the sliding as kernels know it.
func (s sliding) window() kernel.Window {
	return kernel.NewWindow(s.in, s.out, s.kernel, s.strides, s.dilations, s.begin)
}
