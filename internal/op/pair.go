package op

import (
	"errors"
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The operations here take two operands of one type under numpy's broadcasting;
// see Add.

// Equal is int64 1 where a = b, otherwise 0.
func Equal(a, b *G.Node) (*G.Node, error) {
	return pair("Equal", a, b, kernel.Equal[float32], kernel.Equal[int64])
}

// Less is int64 1 where a < b, otherwise 0.
func Less(a, b *G.Node) (*G.Node, error) {
	return pair("Less", a, b, kernel.Less[float32], kernel.Less[int64])
}

// LessOrEqual is int64 1 where a <= b, otherwise 0.
func LessOrEqual(a, b *G.Node) (*G.Node, error) {
	return pair("LessOrEqual", a, b, kernel.LessOrEqual[float32], kernel.LessOrEqual[int64])
}

// And is the bits that both of two int64 operands have.
func And(a, b *G.Node) (*G.Node, error) { return pairInts("And", a, b, kernel.And) }

// Or is the bits that one of two int64 operands has.
func Or(a, b *G.Node) (*G.Node, error) { return pairInts("Or", a, b, kernel.Or) }

// Xor is the bits in which two int64 operands differ.
func Xor(a, b *G.Node) (*G.Node, error) { return pairInts("Xor", a, b, kernel.Xor) }

// ShiftLeft moves the bits of a by b places up; both are int64.
func ShiftLeft(a, b *G.Node) (*G.Node, error) {
	return pairInts("ShiftLeft", a, b, kernel.ShiftLeft)
}

// ShiftRight moves the bits of a, taken as unsigned, by b places down; both are
// int64.
func ShiftRight(a, b *G.Node) (*G.Node, error) {
	return pairInts("ShiftRight", a, b, kernel.ShiftRight)
}

// Modulo is what is left of a after division by b, with the sign of b; both are
// int64. A zero in b is an error when the graph runs.
func Modulo(a, b *G.Node) (*G.Node, error) { return pairInts("Modulo", a, b, kernel.Modulo) }

// Remainder is what is left of a after division by b, with the sign of a. A
// zero in an int64 b is an error when the graph runs. The gradient of a is 1,
// that of b minus the truncated quotient.
func Remainder(a, b *G.Node) (*G.Node, error) {
	if a.Dtype() == tensor.Int64 {
		return pairInts("Remainder", a, b, kernel.Remainder)
	}
	return pairFloats("Remainder", a, b, kernel.FloatRemainder, func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		q, err := pairFloats("Truncated", in[0], in[1], kernel.Truncated, nil)
		if err != nil {
			return nil, err
		}
		db, err := Mul(g, q)
		if err != nil {
			return nil, err
		}
		if db, err = scale(db, -1); err != nil {
			return nil, err
		}
		return sumToInputs(in, g, db)
	})
}

// Max is the larger of a and b, NaN if either is. The gradient goes to the
// larger one, half to each of equals.
func Max(a, b *G.Node) (*G.Node, error) {
	if a.Dtype() == tensor.Int64 {
		return pairInts("Max", a, b, kernel.Max[int64])
	}
	return pairFloats("Max", a, b, kernel.Max[float32], extremeGrad(0, 1))
}

// Min is the smaller of a and b; see Max.
func Min(a, b *G.Node) (*G.Node, error) {
	if a.Dtype() == tensor.Int64 {
		return pairInts("Min", a, b, kernel.Min[int64])
	}
	return pairFloats("Min", a, b, kernel.Min[float32], extremeGrad(1, 0))
}

// extremeGrad gives an operand the share by which it is larger than the other.
func extremeGrad(first, second int) gradient {
	return func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		grads := make(G.Nodes, 2)
		for i, order := range [][2]int{{first, second}, {second, first}} {
			share, err := pairFloats("Larger", in[order[0]], in[order[1]], kernel.Larger, nil)
			if err != nil {
				return nil, err
			}
			if grads[i], err = Mul(g, share); err != nil {
				return nil, err
			}
		}
		return sumToInputs(in, grads...)
	}
}

// Pow is a to the b. Integers wrap around; with a negative exponent, what is no
// whole number becomes 0. The gradient of b is 0 where a is 0.
func Pow(a, b *G.Node) (*G.Node, error) {
	if a.Dtype() == tensor.Int64 {
		return pairInts("Pow", a, b, kernel.PowInt)
	}
	return pairFloats("Pow", a, b, kernel.Pow, func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		grads := make(G.Nodes, 2)
		for i, slope := range []func(out, a, b []float32){kernel.PowSlope, kernel.PowExponentSlope} {
			s, err := pairFloats("PowSlope", in[0], in[1], slope, nil)
			if err != nil {
				return nil, err
			}
			if grads[i], err = Mul(g, s); err != nil {
				return nil, err
			}
		}
		return sumToInputs(in, grads...)
	})
}

// PRelu is x where x >= 0, otherwise slope·x; the slope broadcasts to x.
func PRelu(x, slope *G.Node) (*G.Node, error) {
	if s, err := broadcast(x.Shape(), slope.Shape()); err != nil || !slices.Equal(s, x.Shape()) {
		return nil, fmt.Errorf("PRelu: slope %v does not broadcast to %v", slope.Shape(), x.Shape())
	}
	return pairFloats("PRelu", x, slope, kernel.PRelu, func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		grads := make(G.Nodes, 2)
		for i, derivative := range []func(out, x, slope []float32){kernel.PReluSlope, kernel.PReluNegative} {
			d, err := pairFloats("PReluSlope", in[0], in[1], derivative, nil)
			if err != nil {
				return nil, err
			}
			if grads[i], err = Mul(g, d); err != nil {
				return nil, err
			}
		}
		return sumToInputs(in, grads...)
	})
}

// pair computes int64 from two operands of either type. There is no gradient.
func pair(name string, a, b *G.Node, floats func(out []int64, a, b []float32), ints func(out, a, b []int64)) (*G.Node, error) {
	if a.Dtype() == tensor.Int64 {
		return pairInts(name, a, b, ints)
	}
	shape, err := pairShape(name, a, b)
	if err != nil {
		return nil, err
	}
	z := kernel.NewZip(shape, a.Shape(), b.Shape(), floats)
	return apply(Op{
		Name: name, Shape: shape, Dtype: tensor.Int64,
		Run: func(c *Call) error {
			z.Do(c.Out.I, c.In[0].F, c.In[1].F)
			return nil
		},
	}, a, b)
}

func pairInts(name string, a, b *G.Node, f func(out, a, b []int64)) (*G.Node, error) {
	if err := needInts(name, a, b); err != nil {
		return nil, err
	}
	shape, err := pairShape(name, a, b)
	if err != nil {
		return nil, err
	}
	z := kernel.NewZip(shape, a.Shape(), b.Shape(), f)
	divides := name == "Modulo" || name == "Remainder"
	return apply(Op{
		Name: name, Shape: shape, Dtype: tensor.Int64,
		Run: func(c *Call) error {
			if divides && slices.Contains(c.In[1].I, 0) {
				return errors.New("division by zero")
			}
			z.Do(c.Out.I, c.In[0].I, c.In[1].I)
			return nil
		},
	}, a, b)
}

// pairFloats is an operation on float32; without grad it has no gradient.
func pairFloats(name string, a, b *G.Node, f func(out, a, b []float32), grad gradient) (*G.Node, error) {
	if err := needFloat(name, a, b); err != nil {
		return nil, err
	}
	shape, err := pairShape(name, a, b)
	if err != nil {
		return nil, err
	}
	z := kernel.NewZip(shape, a.Shape(), b.Shape(), f)
	o := Op{Name: name, Shape: shape, Dtype: tensor.Float32, Diff: []bool{grad != nil, grad != nil}, Grad: grad}
	o.Run = func(c *Call) error {
		z.Do(c.Out.F, c.In[0].F, c.In[1].F)
		return nil
	}
	if a.Shape().TotalSize() == shape.TotalSize() {
		o.InPlace = First
	}
	return apply(o, a, b)
}

func pairShape(name string, a, b *G.Node) (tensor.Shape, error) {
	if a.Dtype() != b.Dtype() {
		return nil, fmt.Errorf("%s: operands of %v and %v", name, a.Dtype(), b.Dtype())
	}
	shape, err := broadcast(a.Shape(), b.Shape())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return shape, nil
}

// Where is a where the condition, which is int64, is not 0, and b elsewhere. The
// three are broadcast against each other, and a and b are of one type.
func Where(condition, a, b *G.Node) (*G.Node, error) {
	if err := needInts("Where", condition); err != nil {
		return nil, err
	}
	shape, err := pairShape("Where", a, b)
	if err == nil {
		shape, err = broadcast(shape, condition.Shape())
	}
	if err != nil {
		return nil, err
	}
	o := Op{Name: "Where", Shape: shape, Dtype: a.Dtype()}
	if o.Dtype == tensor.Int64 {
		pick := kernel.NewChoice[int64](shape, condition.Shape(), a.Shape(), b.Shape())
		o.Run = func(c *Call) error {
			pick.Do(c.Out.I, c.In[0].I, c.In[1].I, c.In[2].I)
			return nil
		}
		return apply(o, condition, a, b)
	}
	pick := kernel.NewChoice[float32](shape, condition.Shape(), a.Shape(), b.Shape())
	o.Run = func(c *Call) error {
		pick.Do(c.Out.F, c.In[0].I, c.In[1].F, c.In[2].F)
		return nil
	}
	o.Diff = []bool{false, true, true}
	o.Grad = func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		da, err := only("WhereGrad", in[0], g, true)
		if err != nil {
			return nil, err
		}
		db, err := only("WhereGrad", in[0], g, false)
		if err != nil {
			return nil, err
		}
		grads, err := sumToInputs(in[1:], da, db)
		return append(G.Nodes{nil}, grads...), err
	}
	return apply(o, condition, a, b)
}

// only is g where the condition holds, or where it does not, and 0 elsewhere.
func only(name string, condition, g *G.Node, holds bool) (*G.Node, error) {
	pick := kernel.NewChoice[float32](g.Shape(), condition.Shape(), g.Shape(), nil)
	if !holds {
		pick = kernel.NewChoice[float32](g.Shape(), condition.Shape(), nil, g.Shape())
	}
	zero := []float32{0}
	return apply(Op{
		Name: name, Shape: g.Shape(), Dtype: tensor.Float32, Diff: []bool{false, true}, InPlace: Second,
		Run: func(c *Call) error {
			if holds {
				pick.Do(c.Out.F, c.In[0].I, c.In[1].F, zero)
			} else {
				pick.Do(c.Out.F, c.In[0].I, zero, c.In[1].F)
			}
			return nil
		},
		Grad: func(in G.Nodes, _, gg *G.Node) (G.Nodes, error) {
			dg, err := only(name, in[0], gg, holds)
			return G.Nodes{nil, dg}, err
		},
	}, condition, g)
}
