package onnxload

import (
	"fmt"
	"slices"

	"finetune/internal/op"
)

// CausalConvWithState: each channel of the input (N, C, L) convolved by its own
// filter W (C, 1, k), which reads the present and the past k − 1 positions; these
// are past_state (N, C, k − 1), or zeros, before the first. activation silu or
// swish is x·sigmoid(x). The second output is the past of the next position.
// https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html, opset 27.
func lowerCausalConvWithState(c *call) ([]*value, error) {
	if c.rank(0) != 3 || c.rank(1) != 3 || !slices.Equal(c.shape(1)[:2], []int{c.shape(0)[1], 1}) || c.shape(1)[2] < 1 {
		return nil, fmt.Errorf("input %v and filters %v, want (N, C, L) and (C, 1, k)", c.shape(0), c.shape(1))
	}
	batch, channels, past := c.shape(0)[0], c.shape(0)[1], c.shape(1)[2]-1
	var f formula
	x := c.node(0)
	switch want := []int{batch, channels, past}; {
	case !c.has(3):
		if past > 0 {
			x = f.then(op.Pad(x, []int{0, 0, past}, make([]int, 3), nil))
		}
	case !slices.Equal(c.shape(3), want):
		return nil, fmt.Errorf("past_state has shape %v, want %v", c.shape(3), want)
	case past > 0:
		x = f.concat(2, c.node(3), x)
	}
	if f.err != nil {
		return nil, f.err
	}
	length := x.Shape()[2]
	present := f.part(x, 2, length-past, length)
	y := f.then(op.Conv(x, c.node(1), c.node(2), op.ConvSpec{
		Kernel: []int{past + 1}, Strides: []int{1}, Dilations: []int{1}, Pads: []int{0, 0}, Groups: channels,
	}))
	switch a := c.Attrs.String("activation", "none"); a {
	case "none":
	case "silu", "swish":
		y = f.mapped(op.Swish(1), y)
	default:
		return nil, fmt.Errorf("activation %q is none of none, silu, swish", a)
	}
	if f.err != nil {
		return nil, f.err
	}
	dt := c.in[0].dtype
	return []*value{c.value(dt, y), c.value(dt, present)}, nil
}
