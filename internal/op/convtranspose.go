package op

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/kernel"
)

// ConvTranspose spreads each element of x (N, C, spatial) over as many elements
// as the kernel of the weights w (C, M/Groups, kernel) has, and adds the bias b
// (M), which may be nil: what the gradient of Conv does to the gradient of its
// result. Along an axis the result has
//
//	stride·(in-1) + dilation·(kernel-1) + 1 + more - begin - end
//
// elements, where more is the element of the axis in the list of that name, or 0
// if it is nil: it lengthens the result behind its last element and is less than
// the stride or the dilation. The result has shape (N, M, spatial).
func ConvTranspose(x, w, b *G.Node, s ConvSpec, more []int) (*G.Node, error) {
	xs, ws := x.Shape(), w.Shape()
	fail := func(format string, args ...any) (*G.Node, error) {
		return nil, fmt.Errorf("ConvTranspose: input %v, weights %v: %s", xs, ws, fmt.Sprintf(format, args...))
	}
	if err := needFloat("ConvTranspose", x, w); err != nil {
		return nil, err
	}
	if len(xs) != len(ws) || len(xs) < 3 || len(xs) > 5 {
		return fail("want the same rank, 3 to 5, for both")
	}
	groups := max(s.Groups, 1)
	if s.Groups < 0 || xs[1]%groups != 0 || ws[0] != xs[1] {
		return fail("%d input channels in %d groups do not fit", xs[1], s.Groups)
	}
	if s.Kernel != nil && !slices.Equal(s.Kernel, ws[2:]) {
		return fail("kernel is said to be %v", s.Kernel)
	}
	slide, err := newSpreading(xs[2:], ws[2:], s.Strides, s.Dilations, s.Pads, more)
	if err != nil {
		return fail("%v", err)
	}
	channels := ws[1] * groups
	shape := append(tensor.Shape{xs[0], channels}, slide.in...)
	conv := kernel.NewConv(xs[0], channels, xs[1], groups, slide.window())
	o := Op{
		Name:  "ConvTranspose",
		Shape: shape,
		Dtype: tensor.Float32,
		Diff:  []bool{true, true},
		Flops: 2 * float64(xs.TotalSize()) * float64(ws.TotalSize()/ws[0]),
	}
	o.Grad = func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
		return convTransposeGrads(conv, o.Flops, in, g)
	}
	along := finisher{rows: 1, cols: -1, upTo: gated, results: shape.TotalSize(), run: func(c *Call, then kernel.Epilogue) error {
		conv.BackwardData(c.In[0].F, c.In[1].F, c.Out.F, then)
		return nil
	}}
	if b == nil {
		o.finishing(along)
		return apply(o, x, w)
	}
	if err := needFloat("ConvTranspose", b); err != nil {
		return nil, err
	}
	if bs := b.Shape(); len(bs) != 1 || bs[0] != channels {
		return fail("got a bias of shape %v, want (%d)", bs, channels)
	}
	o.Diff = append(o.Diff, true)
	along.done = []doing{{part: addBias, row: true, input: 2}}
	o.finishing(along)
	return apply(o, x, w, b)
}

// convTransposeGrads are the gradients of input, weights and, if there is one,
// bias. conv is the convolution that has them as results.
func convTransposeGrads(conv *kernel.Conv, flops float64, in G.Nodes, g *G.Node) (G.Nodes, error) {
	back := Op{
		Name:  "ConvTransposeInputGrad",
		Shape: in[0].Shape(),
		Dtype: tensor.Float32,
		Flops: flops,
	}
	back.finishing(finisher{rows: 1, cols: -1, upTo: gated, run: func(c *Call, then kernel.Epilogue) error {
		conv.Forward(c.In[0].F, c.In[1].F, c.Out.F, then)
		return nil
	}})
	dx, err := apply(back, g, in[1])
	if err != nil {
		return nil, err
	}
	dw, err := apply(Op{
		Name:    "ConvTransposeWeightGrad",
		Shape:   in[1].Shape(),
		Dtype:   tensor.Float32,
		Scratch: conv.Scratch(),
		Flops:   flops,
		Run: func(c *Call) error {
			conv.BackwardWeights(c.In[0].F, c.In[1].F, c.Out.F, c.Scratch)
			return nil
		},
	}, g, in[0])
	if err != nil || len(in) == 2 {
		return G.Nodes{dx, dw}, err
	}
	db, err := channelSums("ConvTransposeBiasGrad", g)
	return G.Nodes{dx, dw, db}, err
}

// newSpreading is the sliding that reads what a transposed convolution of an
// image of size out writes.
func newSpreading(out, kernel, strides, dilations, pads, more []int) (sliding, error) {
	s, err := checkSliding(out, kernel, strides, dilations, pads)
	if err != nil {
		return s, err
	}
	if more == nil {
		more = make([]int, len(out))
	}
	if len(more) != len(out) {
		return s, fmt.Errorf("%d spatial axes, but %v elements more", len(out), more)
	}
	s.in, s.out = nil, out
	for i := range out {
		if more[i] < 0 || more[i] >= max(s.strides[i], s.dilations[i]) && more[i] > 0 {
			return s, fmt.Errorf("%v elements more: want fewer than strides %v or dilations %v", more, s.strides, s.dilations)
		}
		in := s.strides[i]*(out[i]-1) + s.dilations[i]*(kernel[i]-1) + 1 + more[i] - s.begin[i] - s.end[i]
		if in < 1 || out[i] < 1 {
			return s, fmt.Errorf("padding %d and %d leaves %d elements of a result", s.begin[i], s.end[i], in)
		}
		s.in = append(s.in, in)
	}
	return s, nil
}
