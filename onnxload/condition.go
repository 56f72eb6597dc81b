package onnxload

import (
	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// compare lowers an operator that asks something of two operands, broadcast as
// for Add: Equal, Less, LessOrEqual, and the logic of And, Or, Xor. Nothing of
// them has a gradient.
// https://onnx.ai/onnx/operators/onnx__Equal.html and so on, opsets 1 to 19.
func compare(f func(a, b *G.Node) (*G.Node, error)) func(c *call) ([]*value, error) {
	return func(c *call) ([]*value, error) {
		b, err := c.aligned()
		if err != nil {
			return nil, err
		}
		n, err := f(c.node(0), b)
		return c.resultAs(Bool, n, err)
	}
}

// Greater: A > B, and GreaterOrEqual: A ≥ B, are Less and LessOrEqual of the
// operands swapped.
// https://onnx.ai/onnx/operators/onnx__Greater.html, opsets 1 to 13, and
// https://onnx.ai/onnx/operators/onnx__GreaterOrEqual.html, opsets 12 to 16.
func swapped(f func(a, b *G.Node) (*G.Node, error)) func(a, b *G.Node) (*G.Node, error) {
	return func(a, b *G.Node) (*G.Node, error) { return f(b, a) }
}

// Not: true where the input is false.
// https://onnx.ai/onnx/operators/onnx__Not.html, opset 1.
func lowerNot(c *call) ([]*value, error) { return c.result(op.Not(c.node(0))) }

// IsNaN: true where the input is not a number.
// https://onnx.ai/onnx/operators/onnx__IsNaN.html, opsets 9 to 20.
func lowerIsNaN(c *call) ([]*value, error) {
	n, err := op.IsNaN(c.node(0))
	return c.resultAs(Bool, n, err)
}

// IsInf: true where the input is infinite, of the signs that the attributes
// detect_negative and detect_positive leave in.
// https://onnx.ai/onnx/operators/onnx__IsInf.html, opsets 10 to 20.
func lowerIsInf(c *call) ([]*value, error) {
	n, err := op.IsInf(c.node(0), c.Attrs.Int("detect_negative", 1) != 0, c.Attrs.Int("detect_positive", 1) != 0)
	return c.resultAs(Bool, n, err)
}

// Where: X where the condition is true, Y elsewhere; the three are broadcast
// against each other.
// https://onnx.ai/onnx/operators/onnx__Where.html, opsets 9 to 16.
func lowerWhere(c *call) ([]*value, error) {
	n, err := op.Where(c.node(0), c.node(1), c.node(2))
	return c.resultAs(c.in[1].dtype, n, err)
}
