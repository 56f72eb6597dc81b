package onnxload

import (
	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Pow: X to the Y, broadcast as for Add, in the type of X. Exponents that are one
// constant of 2, 1/2 or −1, which normalisations are written with, become a
// product, a square root and a reciprocal.
// https://onnx.ai/onnx/operators/onnx__Pow.html, opsets 1 to 15.
func lowerPow(c *call) ([]*value, error) {
	y, err := c.aligned()
	if err != nil {
		return nil, err
	}
	x, dt := c.node(0), c.in[0].dtype
	if e, ok := c.exponent(); ok && dt.IsFloat() {
		switch e {
		case 1:
			return c.same(0), nil
		case 2:
			return c.result(op.Mul(x, x))
		case 0.5:
			return c.result(op.Map(op.Sqrt, x))
		case -1:
			return c.result(op.Map(op.Reciprocal, x))
		}
	}
	whole := !dt.IsFloat() && !c.in[1].dtype.IsFloat()
	if !whole {
		if x, err = op.ToFloat(x); err != nil {
			return nil, err
		}
		if y, err = op.ToFloat(y); err != nil {
			return nil, err
		}
	}
	var n *G.Node
	if n, err = op.Pow(x, y); err == nil && !whole && !dt.IsFloat() {
		n, err = op.ToInt(n)
	}
	return c.wrapped(dt, n, err)
}

// exponent is input 1 if it is one constant that leaves the shape of input 0.
func (c *call) exponent() (float64, bool) {
	v := c.in[1]
	switch {
	case !v.known || v.size() != 1 || len(v.shape) > c.rank(0):
		return 0, false
	case v.dtype.IsFloat():
		return float64(v.data.F[0]), true
	}
	return float64(v.data.I[0]), true
}

// Mod: what is left of A after division by B, with the sign of B, or with that of
// A if attribute fmod is 1, as it must be for floats.
// https://onnx.ai/onnx/operators/onnx__Mod.html, opsets 10 to 13. Rejected:
// floats without fmod.
func lowerMod(c *call) ([]*value, error) {
	if c.Attrs.Int("fmod", 0) != 0 {
		return c.result(op.Remainder(c.node(0), c.node(1)))
	}
	return c.result(op.Modulo(c.node(0), c.node(1)))
}
