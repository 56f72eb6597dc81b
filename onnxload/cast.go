package onnxload

import (
	"fmt"
	"slices"

	"finetune/internal/op"
)

// Cast: the input as another element type, given by number. All floating-point
// types are float32 and all integers int64 while we compute: a change within
// either kind only takes the bits that do not fit from an integer, and rounds to
// floating-point types of eight bits and less, not to those of sixteen. What becomes
// strings at the end of a graph stays the numbers it is: training needs no names.
// https://onnx.ai/onnx/operators/onnx__Cast.html, opsets 6 to 25. Rejected:
// strings that are computed with, complex numbers, rounding to powers of two other than up.
func lowerCast(c *call) ([]*value, error) {
	to, ok := DTypeOf(c.Attrs.Int("to", 0))
	if !ok {
		return nil, fmt.Errorf("attribute to: no element type has number %d", c.Attrs.Int("to", 0))
	}
	if to == String && !c.isRead(c.Outputs[0]) {
		return c.same(0), nil
	}
	return c.castTo(to)
}

// isRead reports whether a node reads a value, so that it is more than an output.
func (c *call) isRead(name string) bool {
	return c.l.scope.body != nil || slices.ContainsFunc(c.l.model.Nodes, func(n *Node) bool {
		return slices.Contains(n.Inputs, name) || slices.Contains(n.Captures, name)
	})
}

// CastLike: Cast to the element type of the second input, of which nothing else
// counts.
// https://onnx.ai/onnx/operators/onnx__CastLike.html, opsets 15 to 25.
func lowerCastLike(c *call) ([]*value, error) {
	v, err := c.derive(func(d *call) ([]*value, error) { return d.castTo(c.in[1].dtype) }, c.in[0])
	return []*value{v}, err
}

func (c *call) castTo(to DType) ([]*value, error) {
	if _, ok := to.storage(); !ok {
		return nil, unsupported(c.Node, fmt.Sprintf("to %s is not supported", to))
	}
	from := c.in[0].dtype
	if to == from {
		return c.same(0), nil
	}
	x, err := c.node(0), error(nil)
	switch {
	case to == Bool:
		x, err = op.ToBool(x)
	case to.inFloats():
		x, err = op.ToFloat(x)
	default:
		x, err = op.ToInt(x)
	}
	if to == Float8E8M0 && c.Attrs.String("round_mode", "up") != "up" {
		return nil, unsupported(c.Node, "only round_mode up is supported")
	}
	if m := minifloats[to]; m != nil && err == nil {
		saturate := c.Attrs.Int("saturate", 1) != 0
		x, err = op.Map(op.Rounding(func(x float64) float64 { return m.round(x, saturate) }), x)
	}
	return c.wrapped(to, x, err)
}
