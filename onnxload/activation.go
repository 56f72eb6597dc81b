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

// Gelu: x·Φ(x), where Φ is the distribution function of the normal distribution
// (Hendrycks and Gimpel, Gaussian Error Linear Units, 2016), or with approximate
// "tanh" x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
// https://onnx.ai/onnx/operators/onnx__Gelu.html, opset 20.
func lowerGelu(c *call) ([]*value, error) {
	switch a := c.Attrs.String("approximate", "none"); a {
	case "none":
		return c.result(op.Gelu(c.node(0)))
	case "tanh":
		return c.result(op.GeluTanh(c.node(0)))
	default:
		return nil, fmt.Errorf("approximate %q is neither none nor tanh", a)
	}
}

// Erf: the error function, 2/√π times the integral of e^−t² from 0 to x.
// https://onnx.ai/onnx/operators/onnx__Erf.html, opsets 9 to 13. Rejected:
// integers.
func lowerErf(c *call) ([]*value, error) { return c.result(op.Erf(c.node(0))) }
