package op

import (
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gradients are those of the operands. That of the linear forms, computed back
// through the steps, leads to those of the weights.
func (l *recurrent) gradients(g *G.Node, o operands) (G.Nodes, error) {
	grads := make(G.Nodes, len(o.nodes))
	dxw, err := l.backward(g, o, grads)
	if err != nil {
		return nil, err
	}
	if o.xw >= 0 {
		grads[o.xw] = dxw
	}
	own := l.operands(l.mem, dxw)
	scratch := l.BackwardScratch()
	for _, w := range []struct {
		place int
		name  string
		flops float64
		run   func(out, mem, dxw []float32, a kernel.RecurrentArgs, scratch []float32) // args by value: a pointer through an unknown function would be an allocation
	}{
		{o.r, "WeightGrad", l.flops(), func(out, mem, dxw []float32, a kernel.RecurrentArgs, scratch []float32) {
			l.WeightGrad(out, dxw, mem, &a, scratch)
		}},
		{o.rb, "BiasGrad", 0, func(out, mem, dxw []float32, a kernel.RecurrentArgs, _ []float32) {
			l.CandidateBiasGrad(out, dxw, mem)
		}},
		{o.p, "PeepholeGrad", 0, func(out, mem, dxw []float32, a kernel.RecurrentArgs, _ []float32) {
			l.PeepholeGrad(out, dxw, mem, &a)
		}},
	} {
		if w.place < 0 {
			continue
		}
		grads[w.place], err = apply(Op{
			Name: l.name(w.name), Shape: o.nodes[w.place].Shape(), Dtype: tensor.Float32, Scratch: scratch, Flops: w.flops,
			Run: func(c *Call) error {
				w.run(c.Out.F, c.In[0].F, c.In[1].F, own.args(c.In), c.Scratch[:scratch])
				return nil
			},
		}, own.nodes...)
		if err != nil {
			return nil, err
		}
	}
	return grads, nil
}

// backward is the gradient of the linear forms. Where the state before the first
// step was given, its gradient comes with it, into grads.
func (l *recurrent) backward(g *G.Node, o operands, grads G.Nodes) (*G.Node, error) {
	all, state := l.Steps*l.Batch*l.Hidden, l.Batch*l.Hidden
	forms := l.xw.Shape().TotalSize()
	shape := slices.Clone(l.xw.Shape())
	given := o.h0 >= 0 || o.c0 >= 0
	if given {
		shape = tensor.Shape{forms + 2*state}
	}
	own := l.operands(g, l.mem)
	scratch := l.BackwardScratch() + 2*state
	packed, err := apply(Op{
		Name: l.name("StepsGrad"), Shape: shape, Dtype: tensor.Float32, Scratch: scratch, Flops: l.flops(),
		Run: func(c *Call) error {
			out, dy, a := c.Out.F, c.In[0].F, own.args(c.In)
			spare := c.Scratch[:scratch]
			states := spare[scratch-2*state:]
			if given {
				states = out[forms:]
			}
			clear(states)
			copy(states, dy[all:])
			l.Backward(out[:forms], dy[:all], states[:state], states[state:], c.In[1].F, &a, spare[:scratch-2*state])
			return nil
		},
	}, own.nodes...)
	if err != nil || !given {
		return packed, err
	}
	for i, place := range []int{o.h0, o.c0} {
		if place >= 0 {
			if grads[place], err = unpack(packed, forms+i*state, l.Batch, l.Hidden); err != nil {
				return nil, err
			}
		}
	}
	return unpack(packed, 0, l.xw.Shape()...)
}
