package onnxload

import (
	"fmt"

	"finetune/internal/op"
)

// Cast: the input as another element type, given by number. All floating-point
// types are float32 and all integers int64 while we compute, so a change within
// either kind does nothing, and rounding to a narrower type is not done.
// https://onnx.ai/onnx/operators/onnx__Cast.html, opsets 6 to 25. Rejected:
// strings, complex numbers, eight-bit floats, types of four bits and less.
func lowerCast(c *call) ([]*value, error) {
	to, ok := DTypeOf(c.Attrs.Int("to", 0))
	if !ok {
		return nil, fmt.Errorf("attribute to: no element type has number %d", c.Attrs.Int("to", 0))
	}
	switch _, ok := to.storage(); {
	case !ok, to == Int4, to == Uint4, to == Int2, to == Uint2:
		return nil, unsupported(c.Node, fmt.Sprintf("to %s is not supported", to))
	}
	from, x := c.in[0].dtype, c.node(0)
	if to == from {
		return c.same(0), nil
	}
	var err error
	switch {
	case to == Bool:
		x, err = op.ToBool(x)
	case to.IsFloat() && !from.IsFloat():
		x, err = op.ToFloat(x)
	case to.IsInt() && !from.IsInt():
		x, err = op.ToInt(x)
	}
	return c.resultAs(to, x, err)
}
