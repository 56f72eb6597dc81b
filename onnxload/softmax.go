package onnxload

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Softmax: e^x / Σ e^x along an axis. Since opset 13 that is one axis, by
// default the last. Before, the input was taken as a matrix, the axes before
// the given one (by default 1) against the others, and each row normalised.
// https://onnx.ai/onnx/operators/onnx__Softmax.html, opsets 1 to 13.
func lowerSoftmax(c *call) ([]*value, error) {
	return c.softmax("softmax", op.Softmax)
}

// LogSoftmax: x − log Σ e^x, along an axis as for Softmax.
// https://onnx.ai/onnx/operators/onnx__LogSoftmax.html, opsets 1 to 13.
func lowerLogSoftmax(c *call) ([]*value, error) {
	return c.softmax("logsoftmax", op.LogSoftmax)
}

func (c *call) softmax(kind string, f func(*G.Node, int) (*G.Node, error)) ([]*value, error) {
	x, shape := c.node(0), c.shape(0)
	def := -1
	if c.Opset < 13 {
		def = min(1, len(shape)-1)
	}
	k, err := axis(c.Attrs.Int("axis", def), len(shape))
	if err != nil {
		return nil, err
	}
	row := shape[k : k+1]
	if c.Opset < 13 {
		row = shape[k:]
	}

	var y *G.Node
	if len(row) == 1 {
		y, err = f(x, k)
	} else {
		y, err = c.softmaxRows(x, k, f)
	}
	out, err := c.result(y, err)
	if err == nil && !c.fold {
		group, after := product(row), product(shape[k+len(row):])
		out[0].head = &head{kind: kind, logits: x, shape: slices.Clone(shape), axis: k, group: group, after: after}
	}
	return out, err
}

// softmaxRows normalises over all axes from k on.
func (c *call) softmaxRows(x *G.Node, k int, f func(*G.Node, int) (*G.Node, error)) (*G.Node, error) {
	shape := c.shape(0)
	m, err := op.Reshape(x, product(shape[:k]), product(shape[k:]))
	if err != nil {
		return nil, err
	}
	if m, err = f(m, 1); err != nil {
		return nil, err
	}
	return op.Reshape(m, shape...)
}

// product is the number of elements of a shape that was checked before.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
