package onnxload

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Max: the largest of all inputs, element by element, broadcast as for Add since
// opset 8.
// https://onnx.ai/onnx/operators/onnx__Max.html, opsets 1 to 13.
func lowerMax(c *call) ([]*value, error) { return c.variadic(op.Max) }

// Min: the smallest of all inputs; see Max.
// https://onnx.ai/onnx/operators/onnx__Min.html, opsets 1 to 13.
func lowerMin(c *call) ([]*value, error) { return c.variadic(op.Min) }

// Mean: Sum divided by the number of inputs.
// https://onnx.ai/onnx/operators/onnx__Mean.html, opsets 1 to 13.
func lowerMean(c *call) ([]*value, error) {
	out, err := lowerSum(c)
	if err != nil || len(c.in) == 1 {
		return out, err
	}
	return c.result(op.Mul(out[0].node, c.constant(nil, float32(1/float64(len(c.in))))))
}

// variadic joins all inputs, from the first on.
func (c *call) variadic(f func(a, b *G.Node) (*G.Node, error)) ([]*value, error) {
	if len(c.in) == 1 {
		return c.same(0), nil
	}
	for i := range c.in {
		if !c.has(i) {
			return nil, fmt.Errorf("input %d is missing", i)
		}
	}
	total := c.node(0)
	for i := 1; i < len(c.in); i++ {
		var err error
		if total, err = f(total, c.node(i)); err != nil {
			return nil, err
		}
	}
	return c.result(total, nil)
}
