package onnxload

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Relu: max(x, 0).
// https://onnx.ai/onnx/operators/onnx__Relu.html, opsets 1 to 14.
func lowerRelu(c *call) ([]*value, error) {
	return c.result(op.Relu(c.node(0)))
}

// LeakyRelu: x where x ≥ 0, α·x elsewhere.
// https://onnx.ai/onnx/operators/onnx__LeakyRelu.html, opsets 1 to 16.
func lowerLeakyRelu(c *call) ([]*value, error) {
	return c.result(op.LeakyRelu(c.node(0), c.Attrs.Float("alpha", 0.01)))
}

// Sigmoid: 1 / (1 + e^−x).
// https://onnx.ai/onnx/operators/onnx__Sigmoid.html, opsets 1 to 13.
func lowerSigmoid(c *call) ([]*value, error) {
	out, err := c.result(op.Sigmoid(c.node(0)))
	if err == nil && !c.fold {
		out[0].head = &head{kind: "sigmoid", logits: c.node(0), axis: -1}
	}
	return out, err
}

// Tanh: (e^x − e^−x) / (e^x + e^−x).
// https://onnx.ai/onnx/operators/onnx__Tanh.html, opsets 1 to 13.
func lowerTanh(c *call) ([]*value, error) {
	return c.result(op.Tanh(c.node(0)))
}

// Clip: min(max(x, min), max). The bounds are attributes before opset 11 and
// inputs since.
// https://onnx.ai/onnx/operators/onnx__Clip.html, opsets 1 to 13.
func lowerClip(c *call) ([]*value, error) {
	if !c.in[0].dtype.IsFloat() || c.has(1) && !c.in[1].known || c.has(2) && !c.in[2].known {
		return c.clipBetween()
	}
	low, high := float32(-math.MaxFloat32), float32(math.MaxFloat32)
	if c.Opset < 11 {
		low, high = c.Attrs.Float("min", low), c.Attrs.Float("max", high)
	}
	var err error
	if c.has(1) {
		if low, err = c.float(1, "the lower bound"); err != nil {
			return nil, err
		}
	}
	if c.has(2) {
		if high, err = c.float(2, "the upper bound"); err != nil {
			return nil, err
		}
	}
	return c.result(op.Clip(c.node(0), low, high))
}

// clipBetween is Clip for bounds that are computed, and for integers.
func (c *call) clipBetween() ([]*value, error) {
	x := c.node(0)
	for i, f := range []func(a, b *G.Node) (*G.Node, error){op.Max, op.Min} {
		if !c.has(1 + i) {
			continue
		}
		if c.in[1+i].size() != 1 {
			return nil, fmt.Errorf("a bound has shape %v, want one number", c.shape(1+i))
		}
		bound, err := op.Reshape(c.node(1 + i))
		if err != nil {
			return nil, err
		}
		if x, err = f(x, bound); err != nil {
			return nil, err
		}
	}
	return c.result(x, nil)
}
