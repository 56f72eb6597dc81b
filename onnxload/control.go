package onnxload

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/op"
)

// The operators with subgraphs are unfolded while lowering. They join the table
// late, because lowering a subgraph looks into it.
func init() {
	operators["If"] = &operator{lower: lowerIf, since: 1, in: "cond", nested: true}
	operators["Loop"] = &operator{lower: lowerLoop, since: 1, in: "M? cond? v_initial'?...", nested: true}
	operators["Scan"] = &operator{lower: lowerScan, since: 8, in: "initial_state_and_scan_inputs'?...", nested: true}
}

// subgraph is the body in an attribute.
func (c *call) subgraph(attr string) (*body, error) {
	if b := c.bodies[attr]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("attribute %s is missing", attr)
}

// If: the outputs of subgraph then_branch where the condition is true, else those
// of else_branch. Only the branch that is taken is looked at.
// https://onnx.ai/onnx/operators/onnx__If.html, opsets 1 to 25. Rejected: a
// condition that is not constant.
func lowerIf(c *call) ([]*value, error) {
	b, err := c.known(0, tensor.Int64, "the condition")
	if err != nil {
		return nil, err
	}
	if b.Len() != 1 {
		return nil, fmt.Errorf("the condition has %d elements, want 1", b.Len())
	}
	branch := "else_branch"
	if b.I[0] != 0 {
		branch = "then_branch"
	}
	body, err := c.subgraph(branch)
	if err != nil {
		return nil, err
	}
	return c.l.runBody(body, pass{c.Node, 0}, nil)
}

// maxPasses bounds how often the loops of a model run altogether.
const maxPasses = 1 << 14

// nextPass counts one more run through a loop.
func (c *call) nextPass(number int) (pass, error) {
	if *c.l.passes++; *c.l.passes > maxPasses {
		return pass{}, unsupported(c.Node, fmt.Sprintf("the loops of the model run more than %d times", maxPasses))
	}
	return pass{c.Node, number}, nil
}

// Loop: the subgraph repeated, with the number of the pass, a condition, and
// values that each pass hands to the next; until the trip count (input 0) is
// reached or the condition (input 1, then the first output) is false. What the
// subgraph gives out besides is stacked along a new first axis. It is unfolded:
// every pass has nodes of its own.
// https://onnx.ai/onnx/operators/onnx__Loop.html, opsets 1 to 25. Rejected: a
// trip count or condition that depends on an input, no pass at all where
// something is to be stacked.
func lowerLoop(c *call) ([]*value, error) {
	b, err := c.subgraph("body")
	if err != nil {
		return nil, err
	}
	trips := -1
	if c.has(0) {
		if trips, err = c.int(0, "the trip count"); err != nil {
			return nil, err
		}
		trips = max(trips, 0)
	}
	goOn := true
	if c.has(1) {
		n, err := c.int(1, "the condition")
		if err != nil {
			return nil, err
		}
		goOn = n != 0
	}
	carried := slices.Clone(c.in[min(2, len(c.in)):])
	if len(b.inputs) != 2+len(carried) || len(b.outputs) < 1+len(carried) {
		return nil, fmt.Errorf("the subgraph has %d inputs and %d outputs for %d values that are handed on", len(b.inputs), len(b.outputs), len(carried))
	}
	stacks := make([][]*value, len(b.outputs)-1-len(carried))
	for i := 0; goOn && i != trips; i++ {
		p, err := c.nextPass(i)
		if err != nil {
			return nil, err
		}
		out, err := c.l.runBody(b, p, append([]*value{c.number64(int64(i)), c.truth(goOn)}, carried...))
		if err != nil {
			return nil, err
		}
		if !out[0].known {
			return nil, unsupported(c.Node, fmt.Sprintf("its condition (%q) depends on an input or a trained parameter", b.outputs[0]))
		}
		if len(out[0].data.I) != 1 {
			return nil, fmt.Errorf("the condition %q is %s %v, want one bool", b.outputs[0], out[0].dtype, out[0].shape)
		}
		goOn = out[0].data.I[0] != 0
		copy(carried, out[1:])
		for k := range stacks {
			stacks[k] = append(stacks[k], out[1+len(carried)+k])
		}
	}
	results := carried
	for k, s := range stacks {
		v, err := c.stack(s, 0)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", len(carried)+k, err)
		}
		results = append(results, v)
	}
	return results, nil
}

// Scan: the subgraph run over the slices of the last num_scan_inputs inputs,
// with values that each pass hands to the next; what it gives out besides is
// stacked. scan_input_axes and scan_output_axes say along which axes, by default
// the first, and the _directions of 1 go backward. It is unfolded. In opset 8 all
// inputs have a batch axis in front, and each example is a scan of its own.
// https://onnx.ai/onnx/operators/onnx__Scan.html, opsets 8 to 25. Rejected: no
// pass at all where something is to be stacked, lengths of sequences (opset 8).
func lowerScan(c *call) ([]*value, error) {
	if c.Opset < 9 {
		return c.scanBatch()
	}
	return c.scan(c.in, 0)
}

// scanBatch is the form of opset 8.
func (c *call) scanBatch() ([]*value, error) {
	if len(c.in) < 2 || slices.Contains(c.in[1:], nil) || len(c.in[1].shape) == 0 {
		return nil, errors.New("inputs are missing or have no batch axis")
	}
	if c.has(0) {
		return nil, unsupported(c.Node, "its first input, the lengths of sequences, is not supported")
	}
	body, err := c.subgraph("body")
	if err != nil {
		return nil, err
	}
	for i, v := range c.in[1:] {
		if len(v.shape) == 0 || v.shape[0] != c.in[1].shape[0] || v.shape[0] == 0 {
			return nil, fmt.Errorf("input %d has shape %v for a batch of %d", 1+i, v.shape, c.in[1].shape[0])
		}
	}
	var examples [][]*value // outputs of each
	passes := 0
	for b := range c.in[1].shape[0] {
		var in []*value
		for _, v := range c.in[1:] {
			part, err := c.sliceOf(v, 0, b)
			if err != nil {
				return nil, err
			}
			in = append(in, part)
		}
		out, err := c.scan(in, passes)
		if err != nil {
			return nil, err
		}
		passes += maxPasses // numbers that no other example has
		examples = append(examples, out)
	}
	var results []*value
	for k := range body.outputs {
		var list []*value
		for _, out := range examples {
			list = append(list, out[k])
		}
		v, err := c.stack(list, 0)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", k, err)
		}
		results = append(results, v)
	}
	return results, nil
}

// scan is one scan over inputs, whose passes are numbered from the given number.
func (c *call) scan(args []*value, number int) ([]*value, error) {
	b, err := c.subgraph("body")
	if err != nil {
		return nil, err
	}
	scans := c.Attrs.Int("num_scan_inputs", 0)
	states := len(args) - scans
	outs := len(b.outputs) - states
	if scans < 1 || states < 0 || outs < 0 || len(b.inputs) != len(args) || slices.Contains(args, nil) {
		return nil, fmt.Errorf("num_scan_inputs is %d, with %d inputs and a subgraph of %d inputs and %d outputs", scans, len(args), len(b.inputs), len(b.outputs))
	}
	inAxes, err := c.scanList("scan_input_axes", scans)
	if err != nil {
		return nil, err
	}
	backward := "scan_input_directions"
	if c.Opset < 9 {
		backward = "directions"
	}
	inBack, err := c.scanList(backward, scans)
	if err != nil {
		return nil, err
	}
	outAxes, err := c.scanList("scan_output_axes", outs)
	if err != nil {
		return nil, err
	}
	outBack, err := c.scanList("scan_output_directions", outs)
	if err != nil {
		return nil, err
	}
	length := -1
	for k := range scans {
		v := args[states+k]
		if inAxes[k], err = axis(inAxes[k], len(v.shape)); err != nil {
			return nil, err
		}
		if n := v.shape[inAxes[k]]; length >= 0 && n != length {
			return nil, fmt.Errorf("inputs of %d and %d slices", length, n)
		}
		length = v.shape[inAxes[k]]
	}
	carried := slices.Clone(args[:states])
	stacks := make([][]*value, outs)
	for i := range length {
		p, err := c.nextPass(number + i)
		if err != nil {
			return nil, err
		}
		in := slices.Clone(carried)
		for k := range scans {
			at := i
			if inBack[k] != 0 {
				at = length - 1 - i
			}
			v, err := c.sliceOf(args[states+k], inAxes[k], at)
			if err != nil {
				return nil, err
			}
			in = append(in, v)
		}
		out, err := c.l.runBody(b, p, in)
		if err != nil {
			return nil, err
		}
		copy(carried, out)
		for k := range stacks {
			stacks[k] = append(stacks[k], out[states+k])
		}
	}
	results := carried
	for k, s := range stacks {
		if outBack[k] != 0 {
			slices.Reverse(s)
		}
		v, err := c.stack(s, outAxes[k])
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", states+k, err)
		}
		results = append(results, v)
	}
	return results, nil
}

// scanList is an attribute with a number for each slice, by default 0.
func (c *call) scanList(name string, n int) ([]int, error) {
	list := c.Attrs.Ints(name, make([]int, n))
	if len(list) != n {
		return nil, fmt.Errorf("%s has %d numbers, want %d", name, len(list), n)
	}
	return list, nil
}

// number64 and truth are constants that a loop hands to its subgraph.
func (c *call) number64(n int64) *value {
	return &value{name: c.Name, dtype: Int64, shape: []int{}, known: true, data: op.Buffer{I: []int64{n}}}
}

func (c *call) truth(b bool) *value {
	v := c.number64(0)
	v.dtype = Bool
	if b {
		v.data.I[0] = 1
	}
	return v
}

// sliceOf is what v holds at one place along an axis.
func (c *call) sliceOf(v *value, axis, at int) (*value, error) {
	return c.derive(func(d *call) ([]*value, error) { return d.result(d.slab(d.node(0), axis, at)) }, v)
}

// stack puts values of one shape behind each other along a new axis.
func (c *call) stack(list []*value, at int) (*value, error) {
	if len(list) == 0 {
		return nil, errors.New("there is nothing to stack, so that its shape is not known")
	}
	return c.derive(func(d *call) ([]*value, error) {
		k, err := axis(at, len(list[0].shape)+1)
		if err != nil {
			return nil, err
		}
		shape := slices.Insert(slices.Clone(list[0].shape), k, 1)
		var parts []*G.Node
		for i := range list {
			n, err := op.Reshape(d.node(i), shape...)
			if err != nil {
				return nil, err
			}
			parts = append(parts, n)
		}
		if len(parts) == 1 {
			return d.result(parts[0], nil)
		}
		return d.result(op.Concat(k, parts...))
	}, list...)
}

// derive computes a value of others for the node: at once if all are known.
func (c *call) derive(f func(d *call) ([]*value, error), in ...*value) (*value, error) {
	d := &call{Node: c.Node, l: c.l, rule: &operator{lower: f}, in: in}
	d.start()
	out, err := d.lower()
	if err != nil {
		return nil, err
	}
	return out[0], nil
}
