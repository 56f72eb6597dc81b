package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Gate is an activation function inside a recurrent cell.
type Gate = kernel.Gate

// The usual gates, and the way to make others: of a function and its derivative,
// computed from the function's result.
var (
	SigmoidGate = kernel.SigmoidGate
	TanhGate    = kernel.TanhGate
	ReluGate    = kernel.ReluGate
	NewGate     = kernel.NewGate
)

// The kinds of recurrent cells.
const (
	LSTM = kernel.LSTM
	GRU  = kernel.GRU
	RNN  = kernel.RNN
)

// RecurrentSpec says what a recurrent layer computes; see kernel.Recurrent.
type RecurrentSpec struct {
	Kind              kernel.CellKind
	Reverse           bool
	F, G, H           Gate
	InputForget       bool
	LinearBeforeReset bool
	Last              bool // whether the last state and cell are wanted
}

// RecurrentInput is the operands of a recurrent layer in one direction, with g
// gates (4 for the LSTM, 3 for the GRU, 1 for the RNN) of h elements. All but the
// first three may be nil.
type RecurrentInput struct {
	X       *G.Node // (steps, batch, size)
	W       *G.Node // (g·h, size)
	R       *G.Node // (g·h, h)
	B       *G.Node // (2·g·h): bias of the input's, then of the state's linear forms
	Lengths *G.Node // (batch), int64: steps of each row
	H0, C0  *G.Node // (batch, h): state and the LSTM's cell before the first step; 0 if nil
	P       *G.Node // (3·h): the LSTM's peepholes
}

// RecurrentOutput is the results of a recurrent layer: the states of all steps
// (steps, batch, h), 0 behind the end of a row, and the state and the LSTM's
// cell after the last step computed (batch, h), nil if they are not wanted.
type RecurrentOutput struct{ Y, H, C *G.Node }

// Recurrent is an LSTM, GRU or RNN layer in one direction. The linear forms of
// the input are one matrix product over all steps; then the steps follow each
// other. A length outside [0, steps] is an error when the graph runs.
func Recurrent(in RecurrentInput, s RecurrentSpec) (RecurrentOutput, error) {
	l, err := newRecurrent(in, s)
	if err != nil {
		return RecurrentOutput{}, err
	}
	if err := l.project(); err != nil {
		return RecurrentOutput{}, err
	}
	if err := l.remember(); err != nil {
		return RecurrentOutput{}, err
	}
	return l.results()
}

// recurrent is a layer that is being built.
type recurrent struct {
	kernel.Recurrent
	in     RecurrentInput
	last   bool
	xw, rb *G.Node // linear forms of the input; the GRU's bias that reset applies to
	mem    *G.Node // what the steps leave for the results and the gradients
}

func newRecurrent(in RecurrentInput, s RecurrentSpec) (*recurrent, error) {
	name := [...]string{LSTM: "LSTM", GRU: "GRU", RNN: "RNN"}[s.Kind]
	if in.X == nil || in.W == nil || in.R == nil {
		return nil, fmt.Errorf("%s: an input or a weight is missing", name)
	}
	xs, rs := in.X.Shape(), in.R.Shape()
	if len(xs) != 3 || len(rs) != 2 {
		return nil, fmt.Errorf("%s: input %v and recurrent weight %v, want rank 3 and 2", name, xs, rs)
	}
	steps, batch, hidden, g := xs[0], xs[1], rs[1], s.Kind.Gates()
	for _, c := range []struct {
		what string
		n    *G.Node
		want []int
	}{
		{"input", in.X, []int{steps, batch, xs[2]}},
		{"weight", in.W, []int{g * hidden, xs[2]}},
		{"recurrent weight", in.R, []int{g * hidden, hidden}},
		{"bias", in.B, []int{2 * g * hidden}},
		{"initial state", in.H0, []int{batch, hidden}},
		{"initial cell", in.C0, []int{batch, hidden}},
		{"peepholes", in.P, []int{3 * hidden}},
	} {
		if c.n == nil {
			continue
		}
		if c.n.Dtype() != tensor.Float32 || !slices.Equal(c.n.Shape(), c.want) {
			return nil, fmt.Errorf("%s: %s is %v %v, want float32 %v", name, c.what, c.n.Dtype(), c.n.Shape(), tensor.Shape(c.want))
		}
	}
	if n := in.Lengths; n != nil && (n.Dtype() != tensor.Int64 || !slices.Equal(n.Shape(), tensor.Shape{batch})) {
		return nil, fmt.Errorf("%s: lengths are %v %v, want int64 (%d)", name, n.Dtype(), n.Shape(), batch)
	}
	if steps == 0 || batch == 0 || hidden == 0 {
		return nil, fmt.Errorf("%s: nothing to compute for %d steps of %d rows of %d elements", name, steps, batch, hidden)
	}
	return &recurrent{in: in, last: s.Last, Recurrent: kernel.Recurrent{
		Kind: s.Kind, Steps: steps, Batch: batch, Hidden: hidden, Reverse: s.Reverse,
		F: s.F, G: s.G, H: s.H, InputForget: s.InputForget, LinearBeforeReset: s.LinearBeforeReset,
	}}, nil
}

// name is the kind of an operation of the layer.
func (l *recurrent) name(suffix string) string {
	return [...]string{LSTM: "LSTM", GRU: "GRU", RNN: "RNN"}[l.Kind] + suffix
}

// project computes the linear forms of the input, with the biases added.
func (l *recurrent) project() error {
	size, width := l.in.X.Shape()[2], l.Kind.Gates()*l.Hidden
	x, err := Reshape(l.in.X, l.Steps*l.Batch, size)
	if err != nil {
		return err
	}
	bias, err := l.bias(width)
	if err != nil {
		return err
	}
	l.xw, err = Gemm(x, l.in.W, bias, false, true, 1, 1)
	return err
}

// bias is the sum of both biases, but for what the GRU's reset gate applies to.
func (l *recurrent) bias(width int) (*G.Node, error) {
	if l.in.B == nil {
		return nil, nil
	}
	part := func(from, to int) (*G.Node, error) { return Slice(l.in.B, []int{from}, []int{to}, nil) }
	input, err := part(0, width)
	if err != nil {
		return nil, err
	}
	if l.Kind != GRU || !l.LinearBeforeReset {
		state, err := part(width, 2*width)
		if err != nil {
			return nil, err
		}
		return Add(input, state)
	}
	if l.rb, err = part(2*width-l.Hidden, 2*width); err != nil {
		return nil, err
	}
	state, err := part(width, 2*width-l.Hidden)
	if err != nil {
		return nil, err
	}
	if state, err = Pad(state, []int{0}, []int{l.Hidden}, nil); err != nil {
		return nil, err
	}
	return Add(input, state)
}

// operands are the inputs of an operation that runs the kernel: those of its
// own, and then the layer's.
type operands struct {
	nodes                         []*G.Node
	xw, r, rb, p, h0, c0, lengths int // places in nodes, -1 if not given
}

func (l *recurrent) operands(own ...*G.Node) operands {
	o := operands{nodes: own}
	for _, field := range []struct {
		place *int
		node  *G.Node
	}{{&o.xw, l.xw}, {&o.r, l.in.R}, {&o.rb, l.rb}, {&o.p, l.in.P}, {&o.h0, l.in.H0}, {&o.c0, l.in.C0}, {&o.lengths, l.in.Lengths}} {
		*field.place = -1
		if field.node != nil {
			*field.place = len(o.nodes)
			o.nodes = append(o.nodes, field.node)
		}
	}
	return o
}

// args are the operands as the kernel takes them.
func (o *operands) args(in []Buffer) kernel.RecurrentArgs {
	get := func(place int) []float32 {
		if place < 0 {
			return nil
		}
		return in[place].F
	}
	a := kernel.RecurrentArgs{XW: get(o.xw), R: get(o.r), RB: get(o.rb), P: get(o.p), H0: get(o.h0), C0: get(o.c0)}
	if o.lengths >= 0 {
		a.Lengths = in[o.lengths].I
	}
	return a
}

// flops is what the products of the states with R come to, forward as well as for
// each gradient.
func (l *recurrent) flops() float64 {
	return 2 * float64(l.Steps*l.Batch) * float64(l.Kind.Gates()*l.Hidden*l.Hidden)
}

// remember runs the steps.
func (l *recurrent) remember() error {
	o := l.operands()
	scratch := l.ForwardScratch()
	var err error
	l.mem, err = apply(Op{
		Name: l.name("Steps"), Shape: tensor.Shape{l.MemorySize()}, Dtype: tensor.Float32, Scratch: scratch, Flops: l.flops(),
		Run: func(c *Call) error {
			a := o.args(c.In)
			if i := kernel.OutOfRange(a.Lengths, 0, int64(l.Steps)+1); i >= 0 {
				return fmt.Errorf("length %d of row %d is outside [0, %d]", a.Lengths[i], i, l.Steps)
			}
			l.Forward(c.Out.F, &a, c.Scratch[:scratch])
			return nil
		},
	}, o.nodes...)
	return err
}

// results hands the results out. The node that computes them knows the gradients
// of the operands; that it also reads the memory is its own business.
func (l *recurrent) results() (RecurrentOutput, error) {
	all, state := l.Steps*l.Batch*l.Hidden, l.Batch*l.Hidden
	shape := tensor.Shape{l.Steps, l.Batch, l.Hidden}
	if l.last {
		shape = tensor.Shape{all + 2*state}
		if l.Kind != LSTM {
			shape[0] -= state
		}
	}
	o := l.operands(l.mem)
	diff := make([]bool, len(o.nodes))
	for _, place := range []int{o.xw, o.r, o.rb, o.p, o.h0, o.c0} {
		if place >= 0 {
			diff[place] = true
		}
	}
	packed, err := apply(Op{
		Name: l.name(""), Shape: shape, Dtype: tensor.Float32, Diff: diff,
		Run: func(c *Call) error {
			out, a := c.Out.F, o.args(c.In)
			l.Output(out[:all], c.In[0].F, a.Lengths)
			if !l.last {
				return nil
			}
			h, cell := out[all:all+state], []float32(nil)
			if l.Kind == LSTM {
				cell = out[all+state:]
			}
			l.Last(h, cell, c.In[0].F)
			return nil
		},
		Grad: func(_ G.Nodes, _, g *G.Node) (G.Nodes, error) { return l.gradients(g, o) },
	}, o.nodes...)
	if err != nil || !l.last {
		return RecurrentOutput{Y: packed}, err
	}
	var out RecurrentOutput
	if out.Y, err = unpack(packed, 0, l.Steps, l.Batch, l.Hidden); err != nil {
		return out, err
	}
	if out.H, err = unpack(packed, all, l.Batch, l.Hidden); err != nil || l.Kind != LSTM {
		return out, err
	}
	out.C, err = unpack(packed, all+state, l.Batch, l.Hidden)
	return out, err
}

// unpack is the elements of a flat node from an offset on, as a tensor.
func unpack(x *G.Node, from int, shape ...int) (*G.Node, error) {
	part, err := Slice(x, []int{from}, []int{from + tensor.Shape(shape).TotalSize()}, nil)
	if err != nil {
		return nil, err
	}
	return Reshape(part, shape...)
}
