package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// LSTM: per direction and step, with X·Wᵀ + H'·Rᵀ + Wb + Rb for each gate,
// i = f(…+ Pi·C'), f = f(… + Pf·C'), C = f·C' + i·g(…), o = f(… + Po·C),
// H = o·h(C); H' and C' are the state and cell of the step before (Hochreiter and
// Schmidhuber, Long Short-Term Memory, 1997). input_forget makes f = 1 − i.
// https://onnx.ai/onnx/operators/onnx__LSTM.html, opsets 1 to 22.
func lowerLSTM(c *call) ([]*value, error) {
	s := op.RecurrentSpec{Kind: op.LSTM, InputForget: c.Attrs.Int("input_forget", 0) != 0}
	return c.recurrent(s, "Sigmoid", "Tanh", "Tanh")
}

// GRU: per direction and step z = f(X·Wzᵀ + H'·Rzᵀ + …), r alike,
// n = g(X·Wnᵀ + (r·H')·Rnᵀ + Rbn + Wbn), H = (1 − z)·n + z·H' (Cho et al., Learning
// Phrase Representations, 2014); with linear_before_reset r multiplies the
// linear form instead, r·(H'·Rnᵀ + Rbn).
// https://onnx.ai/onnx/operators/onnx__GRU.html, opsets 1 to 22.
func lowerGRU(c *call) ([]*value, error) {
	s := op.RecurrentSpec{Kind: op.GRU, LinearBeforeReset: c.Attrs.Int("linear_before_reset", 0) != 0}
	return c.recurrent(s, "Sigmoid", "Tanh")
}

// RNN: per direction and step H = f(X·Wᵀ + H'·Rᵀ + Wb + Rb) (Elman, Finding
// Structure in Time, 1990).
// https://onnx.ai/onnx/operators/onnx__RNN.html, opsets 1 to 22.
func lowerRNN(c *call) ([]*value, error) {
	return c.recurrent(op.RecurrentSpec{Kind: op.RNN}, "Tanh")
}

// The inputs of a recurrent operator.
const (
	rnnX = iota
	rnnW
	rnnR
	rnnB
	rnnLengths
	rnnH0
	rnnC0
	rnnP
)

// recurrent lowers a recurrent operator: each direction is a layer of its own.
// Attribute clip bounds the arguments of activations.
// gates are the activations that it has by default.
func (c *call) recurrent(s op.RecurrentSpec, gates ...string) ([]*value, error) {
	if c.rank(rnnX) != 3 || c.rank(rnnW) != 3 || c.rank(rnnR) != 3 {
		return nil, fmt.Errorf("input %v and weights %v and %v, want rank 3", c.shape(rnnX), c.shape(rnnW), c.shape(rnnR))
	}
	directions, err := c.directions()
	if err != nil {
		return nil, err
	}
	if h := c.shape(rnnR)[2]; c.Attrs.Int("hidden_size", h) != h {
		return nil, fmt.Errorf("hidden_size is %d, the recurrent weight has shape %v", c.Attrs.Int("hidden_size", h), c.shape(rnnR))
	}
	functions, err := c.gates(gates, len(directions))
	if err != nil {
		return nil, err
	}
	if limit := c.Attrs.Float("clip", 0); limit > 0 {
		for i, f := range functions {
			functions[i] = op.ClippedGate(f, limit)
		}
	}
	s.Last = c.wants(1) || c.wants(2)
	batchFirst := c.Attrs.Int("layout", 0) != 0
	x := c.node(rnnX)
	if batchFirst {
		if x, err = op.Transpose(x, []int{1, 0, 2}); err != nil {
			return nil, err
		}
	}
	var y, h, cell []*G.Node
	for d, reverse := range directions {
		in, err := c.direction(x, d, batchFirst)
		if err != nil {
			return nil, err
		}
		s.Reverse = reverse
		for i, field := range []*op.Gate{&s.F, &s.G, &s.H}[:len(gates)] {
			*field = functions[d*len(gates)+i]
		}
		out, err := op.Recurrent(in, s)
		if err != nil {
			return nil, err
		}
		y, h, cell = append(y, out.Y), append(h, out.H), append(cell, out.C)
	}
	return c.joined(y, h, cell, batchFirst)
}

// directions is, for each direction, whether it runs in reverse.
func (c *call) directions() ([]bool, error) {
	var list []bool
	switch d := c.Attrs.String("direction", "forward"); d {
	case "forward":
		list = []bool{false}
	case "reverse":
		list = []bool{true}
	case "bidirectional":
		list = []bool{false, true}
	default:
		return nil, fmt.Errorf("direction %q is none of forward, reverse, bidirectional", d)
	}
	for _, i := range []int{rnnW, rnnR, rnnB, rnnP} {
		if c.has(i) && (c.rank(i) == 0 || c.shape(i)[0] != len(list)) {
			return nil, fmt.Errorf("input %d has shape %v for %d directions", i, c.shape(i), len(list))
		}
	}
	return list, nil
}

// direction is the operands of one direction.
func (c *call) direction(x *G.Node, d int, batchFirst bool) (in op.RecurrentInput, err error) {
	in.X = x
	part := func(i int) *G.Node {
		if err != nil || !c.has(i) {
			return nil
		}
		var n *G.Node
		n, err = c.slab(c.node(i), 0, d)
		return n
	}
	in.W, in.R, in.B, in.P = part(rnnW), part(rnnR), part(rnnB), part(rnnP)
	if err == nil {
		in.H0, err = c.initial(rnnH0, x.Shape()[1], d, batchFirst)
	}
	if err == nil {
		in.C0, err = c.initial(rnnC0, x.Shape()[1], d, batchFirst)
	}
	if c.has(rnnLengths) && !c.full(x.Shape()[0]) {
		in.Lengths = c.node(rnnLengths)
	}
	return in, err
}

// slab is what an array holds at one place along an axis.
func (c *call) slab(x *G.Node, axis, at int) (*G.Node, error) {
	shape := x.Shape()
	if shape[axis] > 1 {
		starts, ends := make([]int, len(shape)), slices.Clone(shape)
		starts[axis], ends[axis] = at, at+1
		var err error
		if x, err = op.Slice(x, starts, ends, nil); err != nil {
			return nil, err
		}
	}
	return op.Reshape(x, slices.Delete(slices.Clone(shape), axis, axis+1)...)
}

// initial is the state of a direction before the first step; nil where there is
// none or it is known to be zero. A state that was exported for one row serves
// for all.
func (c *call) initial(i, batch, d int, batchFirst bool) (*G.Node, error) {
	if !c.has(i) || c.in[i].known && !slices.ContainsFunc(c.in[i].data.F, func(v float32) bool { return v != 0 }) {
		return nil, nil
	}
	if c.rank(i) != 3 {
		return nil, fmt.Errorf("input %d has shape %v, want rank 3", i, c.shape(i))
	}
	axis := 0
	if batchFirst {
		axis = 1
	}
	if d >= c.shape(i)[axis] {
		return nil, fmt.Errorf("input %d has shape %v for %d directions", i, c.shape(i), d+1)
	}
	n, err := c.slab(c.node(i), axis, d)
	if err == nil && n.Shape()[0] == 1 && batch > 1 && c.l.prog.Lifted {
		n, err = op.Expand(n, []int{batch, n.Shape()[1]})
	}
	return n, err
}

// full reports whether all rows are known to have all steps.
func (c *call) full(steps int) bool {
	v := c.in[rnnLengths]
	return v.known && !slices.ContainsFunc(v.data.I, func(n int64) bool { return n != int64(steps) })
}

// joined puts the results of the directions together: Y (steps, directions,
// batch, hidden), Y_h and Y_c (directions, batch, hidden), or with the batch
// first (batch, steps, directions, hidden) and (batch, directions, hidden).
func (c *call) joined(y, h, cell []*G.Node, batchFirst bool) ([]*value, error) {
	steps, batch, hidden := y[0].Shape()[0], y[0].Shape()[1], y[0].Shape()[2]
	var out []*value
	for i, parts := range [][]*G.Node{y, h, cell} {
		if parts[0] == nil || !c.wants(i) {
			out = append(out, nil)
			continue
		}
		shape, perm, at := []int{1, batch, hidden}, []int{1, 0, 2}, 0
		if i == 0 {
			shape, perm, at = []int{steps, 1, batch, hidden}, []int{2, 0, 1, 3}, 1
		}
		for d := range parts {
			var err error
			if parts[d], err = op.Reshape(parts[d], shape...); err != nil {
				return nil, err
			}
		}
		n, err := parts[0], error(nil)
		if len(parts) > 1 {
			n, err = op.Concat(at, parts...)
		}
		if err == nil && batchFirst {
			n, err = op.Transpose(n, perm)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c.value(c.in[rnnX].dtype, n))
	}
	return out, nil
}
