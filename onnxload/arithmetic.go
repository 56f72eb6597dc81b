package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Add: A + B, with the shapes broadcast against each other as in numpy. Before
// opset 7 attribute broadcast had to ask for it, and stretched B only, with its
// axes aligned to A's from attribute axis on.
// https://onnx.ai/onnx/operators/onnx__Add.html, opsets 1 to 14.
func lowerAdd(c *call) ([]*value, error) { return c.elementwise(op.Add) }

// Sub: A − B, broadcast as for Add.
// https://onnx.ai/onnx/operators/onnx__Sub.html, opsets 1 to 14.
func lowerSub(c *call) ([]*value, error) { return c.elementwise(op.Sub) }

// Mul: A·B, element by element, broadcast as for Add.
// https://onnx.ai/onnx/operators/onnx__Mul.html, opsets 1 to 14.
func lowerMul(c *call) ([]*value, error) { return c.elementwise(op.Mul) }

// Div: A / B, broadcast as for Add; integers are truncated toward zero.
// https://onnx.ai/onnx/operators/onnx__Div.html, opsets 1 to 14.
func lowerDiv(c *call) ([]*value, error) { return c.elementwise(op.Div) }

// Sum: all inputs added up, broadcast as for Add since opset 8.
// https://onnx.ai/onnx/operators/onnx__Sum.html, opsets 1 to 13.
func lowerSum(c *call) ([]*value, error) {
	if len(c.in) == 1 {
		return c.same(0), nil
	}
	total := c.node(0)
	for i := 1; i < len(c.in); i++ {
		if !c.has(i) {
			return nil, fmt.Errorf("input %d is missing", i)
		}
		if c.Opset < 8 && !slices.Equal(c.shape(i), c.shape(0)) {
			return nil, fmt.Errorf("shapes %v and %v differ", c.shape(0), c.shape(i))
		}
		var err error
		if total, err = op.Add(total, c.node(i)); err != nil {
			return nil, err
		}
	}
	return c.result(total, nil)
}

func (c *call) elementwise(f func(a, b *G.Node) (*G.Node, error)) ([]*value, error) {
	b, err := c.aligned()
	if err != nil {
		return nil, err
	}
	n, err := f(c.node(0), b)
	return c.wrapped(c.in[0].dtype, n, err)
}

// aligned is the second operand, brought under numpy's broadcasting from the
// rule of opsets before 7.
func (c *call) aligned() (*G.Node, error) {
	b := c.node(1)
	if c.Opset >= 7 {
		return b, nil
	}
	if c.Attrs.Int("broadcast", 0) == 0 {
		if !slices.Equal(c.shape(0), c.shape(1)) {
			return nil, fmt.Errorf("shapes %v and %v differ, and attribute broadcast is not set", c.shape(0), c.shape(1))
		}
		return b, nil
	}
	if !c.Attrs.Has("axis") {
		return b, nil
	}
	from, err := axis(c.Attrs.Int("axis", 0), c.rank(0))
	if err != nil {
		return nil, err
	}
	after := c.rank(0) - from - c.rank(1)
	if after < 0 {
		return nil, fmt.Errorf("shape %v does not fit into %v from axis %d on", c.shape(1), c.shape(0), from)
	}
	if after == 0 {
		return b, nil
	}
	shape := slices.Clone(c.shape(1))
	for range after {
		shape = append(shape, 1)
	}
	return op.Reshape(b, shape...)
}
