package op

import (
	"slices"

	"finetune/internal/kernel"

	"gorgonia.org/tensor"
)

// part is one of the things an operation can do to an element of its result
// before it stores it, in the order in which they are done.
type part int

const (
	scaled  part = iota + 1 // batch normalisation, whose statistics are given
	addBias                 // one element for each index of an axis
	addSame                 // an element for each
	clamp                   // between two numbers
	gated                   // 0 where another tensor is 0
)

// An ending is an operation as something that the operation before it can do
// along the way. It changes each element of one input by itself.
type ending struct {
	part      part
	on        Operand // the input that is changed
	either    bool    // or the other one: the order of the two inputs is of no matter
	axis      int     // that a bias runs along
	low, high float32
	eps       float32 // of scaled
}

// finisher is an operation that can do parts along the way.
type finisher struct {
	rows, cols int // the axes that a bias may run along, -1 if none
	from, upTo part
	run        func(c *Call, then kernel.Epilogue) error
	done       []doing // what it does already, such as adding a bias of its own
	weights    int     // elements of input 1, if scaling its rows scales those of the result
	results    int     // elements of the result
}

// doing is a part that a finisher does.
type doing struct {
	part      part
	row       bool // of a bias: by rows
	input     int  // that it reads
	low, high float32
}

// Scaling weights costs as much per element as scaling results would, so it is
// done where there are fewer of them.
func (f *finisher) scales() bool { return 0 < f.weights && f.weights <= f.results }

// Fuse makes one operation of first and next, which reads the result of first as
// input at and is the only one to do so. The inputs are those of first, then
// those of next but the one at at. The numbers are computed in the same order as
// before, so results differ at most in the sign of a zero; only batch
// normalisation rounds differently, as it scales weights instead of results. Fuse
// returns nil where the two do not go together. The new operation may have memory
// of its own, and must not run twice at a time.
func Fuse(first, next *Op, at int) *Op {
	f, e := first.finish, next.ending
	if f == nil || e == nil || at != int(e.on-First) && !(e.either && at == int(Second-e.on)) {
		return nil
	}
	if e.part == scaled {
		return fuseNorm(first, next, e.eps)
	}
	d := doing{part: e.part, input: first.Inputs, low: e.low, high: e.high}
	if len(f.done) > 0 && f.done[len(f.done)-1].part >= d.part || d.part < f.from || d.part > f.upTo {
		return nil
	}
	if d.part == addBias {
		if d.row = e.axis == f.rows; !d.row && e.axis != f.cols {
			return nil
		}
	}
	fused := *first
	g := *f
	g.done = append(slices.Clone(f.done), d)
	fused.finish = &g
	fused.Name = first.Name + "+" + next.Name
	fused.Inputs = first.Inputs + next.Inputs - 1
	fused.Flops = first.Flops + next.Flops
	fused.Run = g.do
	return &fused
}

// do runs the operation with all its parts.
func (f *finisher) do(c *Call) error {
	var then kernel.Epilogue
	for _, d := range f.done {
		switch d.part {
		case addBias:
			if d.row {
				then.Row = c.In[d.input].F
			} else {
				then.Col = c.In[d.input].F
			}
		case addSame:
			then.Add = c.In[d.input].F
		case clamp:
			then.Clamp, then.Lo, then.Hi = true, d.low, d.high
		case gated:
			then.Gate = c.In[d.input].F
		}
	}
	return f.run(c, then)
}

// finishing makes o an operation that can do parts along the way.
func (o *Op) finishing(f finisher) {
	o.finish = &f
	o.Run = f.do
}

// addEnding is a sum of two tensors of float32 along the way, nil where a shape
// repeats in any way but along all axes but one.
func addEnding(out, a, b tensor.Shape) *ending {
	if slices.Equal(a, out) && slices.Equal(b, out) {
		return &ending{part: addSame, on: First, either: true}
	}
	e := &ending{part: addBias, on: First}
	bias := b
	if !slices.Equal(a, out) {
		e.on, bias = Second, a
		if !slices.Equal(b, out) {
			return nil
		}
	}
	axes := 0
	for i, n := range bias {
		if n != 1 {
			e.axis = len(out) - len(bias) + i
			axes++
		}
	}
	if axes != 1 {
		return nil
	}
	return e
}
