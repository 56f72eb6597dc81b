package op

import (
	"errors"
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Add is a + b. Like Sub, Mul and Div it follows numpy's broadcasting: shapes
// are aligned at the last axis, and an axis of size 1, or a missing one,
// repeats. Both operands are float32, or both int64 (without a gradient).
func Add(a, b *G.Node) (*G.Node, error) { return combine("Add", kernel.Add, a, b, addGrad) }

// Sub is a - b; see Add.
func Sub(a, b *G.Node) (*G.Node, error) { return combine("Sub", kernel.Sub, a, b, subGrad) }

// Mul is a · b, element by element; see Add.
func Mul(a, b *G.Node) (*G.Node, error) { return combine("Mul", kernel.Mul, a, b, mulGrad) }

// Div is a / b, element by element; see Add. Integers are truncated toward
// zero, and a zero among integer divisors is an error when the graph runs.
func Div(a, b *G.Node) (*G.Node, error) { return combine("Div", kernel.Div, a, b, divGrad) }

// gradient is the Grad of an Op.
type gradient = func(in G.Nodes, out, g *G.Node) (G.Nodes, error)

func combine(name string, kind kernel.Arithmetic, a, b *G.Node, grad gradient) (*G.Node, error) {
	if a.Dtype() != b.Dtype() {
		return nil, fmt.Errorf("%s: operands of %v and %v", name, a.Dtype(), b.Dtype())
	}
	shape, err := broadcast(a.Shape(), b.Shape())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	walk := kernel.NewBroadcast(shape, a.Shape(), b.Shape())
	o := Op{Name: name, Shape: shape, Dtype: a.Dtype()}
	if o.Dtype == tensor.Int64 {
		o.Run = func(c *Call) error {
			if kind == kernel.Div && slices.Contains(c.In[1].I, 0) {
				return errors.New("division by zero")
			}
			kernel.Combine(kind, c.Out.I, c.In[0].I, c.In[1].I, &walk)
			return nil
		}
		return apply(o, a, b)
	}
	o.Diff, o.Grad = []bool{true, true}, grad
	if kind == kernel.Add {
		o.ending = addEnding(shape, a.Shape(), b.Shape())
	}
	switch {
	case a.Shape().TotalSize() == shape.TotalSize():
		o.InPlace = First
	case b.Shape().TotalSize() == shape.TotalSize():
		o.InPlace = Second
	}
	o.Run = func(c *Call) error {
		kernel.Combine(kind, c.Out.F, c.In[0].F, c.In[1].F, &walk)
		return nil
	}
	return apply(o, a, b)
}

// broadcast is the shape that two shapes have together under numpy's rules.
func broadcast(a, b tensor.Shape) (tensor.Shape, error) {
	out := make(tensor.Shape, max(len(a), len(b)))
	for k := range out {
		da, db := 1, 1
		if i := k - len(out) + len(a); i >= 0 {
			da = a[i]
		}
		if i := k - len(out) + len(b); i >= 0 {
			db = b[i]
		}
		switch {
		case da == db || db == 1:
			out[k] = da
		case da == 1:
			out[k] = db
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", a, b)
		}
	}
	return out, nil
}

func addGrad(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
	return sumToInputs(in, g, g)
}

func subGrad(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
	neg, err := scale(g, -1)
	if err != nil {
		return nil, err
	}
	return sumToInputs(in, g, neg)
}

func mulGrad(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
	da, errA := Mul(g, in[1])
	db, errB := Mul(g, in[0])
	if err := errors.Join(errA, errB); err != nil {
		return nil, err
	}
	return sumToInputs(in, da, db)
}

// divGrad: with y = a/b, ∂y/∂a = 1/b and ∂y/∂b = -y/b.
func divGrad(in G.Nodes, y, g *G.Node) (G.Nodes, error) {
	da, err := Div(g, in[1])
	if err != nil {
		return nil, err
	}
	db, err := Mul(da, y)
	if err != nil {
		return nil, err
	}
	if db, err = scale(db, -1); err != nil {
		return nil, err
	}
	return sumToInputs(in, da, db)
}

// sumToInputs sums each gradient over the axes along which its input was
// repeated.
func sumToInputs(in G.Nodes, grads ...*G.Node) (G.Nodes, error) {
	out := make(G.Nodes, len(grads))
	for i, g := range grads {
		var err error
		if out[i], err = sumTo(g, in[i].Shape()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// scale is factor · x.
func scale(x *G.Node, factor float32) (*G.Node, error) {
	return apply(Op{
		Name: "Scale", Shape: x.Shape(), Dtype: tensor.Float32, InPlace: First, Diff: []bool{true},
		Run: func(c *Call) error {
			kernel.Scale(c.Out.F, c.In[0].F, factor)
			return nil
		},
		Grad: func(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := scale(g, factor)
			return G.Nodes{dx}, err
		},
	}, x)
}

// needFloat reports an error unless every node is float32.
func needFloat(name string, nodes ...*G.Node) error {
	for i, n := range nodes {
		if n.Dtype() != tensor.Float32 {
			return fmt.Errorf("%s: input %d is %v, want float32", name, i, n.Dtype())
		}
	}
	return nil
}
