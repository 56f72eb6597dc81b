package onnxload

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// bitwise lowers BitwiseAnd, BitwiseOr and BitwiseXor of two integer operands,
// broadcast as for Add.
// https://onnx.ai/onnx/operators/onnx__BitwiseAnd.html and so on, opset 18.
func bitwise(f func(a, b *G.Node) (*G.Node, error)) func(c *call) ([]*value, error) {
	return func(c *call) ([]*value, error) { return c.result(f(c.node(0), c.node(1))) }
}

// BitwiseNot: every bit inverted.
// https://onnx.ai/onnx/operators/onnx__BitwiseNot.html, opset 18.
func lowerBitwiseNot(c *call) ([]*value, error) {
	n, err := op.Complement(c.node(0))
	return c.wrapped(c.in[0].dtype, n, err)
}

// BitShift: the bits of X moved by Y places, to the LEFT or to the RIGHT as
// attribute direction says; X is unsigned.
// https://onnx.ai/onnx/operators/onnx__BitShift.html, opset 11.
func lowerBitShift(c *call) ([]*value, error) {
	switch d := c.Attrs.String("direction", ""); d {
	case "LEFT":
		n, err := op.ShiftLeft(c.node(0), c.node(1))
		return c.wrapped(c.in[0].dtype, n, err)
	case "RIGHT":
		return c.result(op.ShiftRight(c.node(0), c.node(1)))
	default:
		return nil, fmt.Errorf("attribute direction is %q, want LEFT or RIGHT", d)
	}
}

// wrapped is one output of an integer type: what does not fit it loses its high
// bits, as in the language that the model was written for. Other types pass.
func (c *call) wrapped(dt DType, n *G.Node, err error) ([]*value, error) {
	if err != nil {
		return nil, err
	}
	if bits, signed := dt.width(); bits > 0 && bits < 64 {
		n, err = op.Wrap(n, bits, signed)
	}
	return c.resultAs(dt, n, err)
}

// width is the number of bits of an integer type and whether it has a sign;
// 0 for any other.
func (d DType) width() (bits int, signed bool) {
	switch d {
	case Int2:
		return 2, true
	case Int4:
		return 4, true
	case Int8:
		return 8, true
	case Int16:
		return 16, true
	case Int32:
		return 32, true
	case Int64:
		return 64, true
	case Uint2:
		return 2, false
	case Uint4:
		return 4, false
	case Uint8:
		return 8, false
	case Uint16:
		return 16, false
	case Uint32:
		return 32, false
	case Uint64:
		return 64, false
	}
	return 0, false
}
