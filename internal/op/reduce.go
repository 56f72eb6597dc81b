package op

import (
	"errors"
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Sum is the element-wise total of nodes of one shape. Gradients of a node that
// is used several times are added up with it, two at a time, for that is what an
// operation can do along the way; see Fuse.
func Sum(xs ...*G.Node) (*G.Node, error) {
	if len(xs) == 0 {
		return nil, errors.New("Sum: nothing to add")
	}
	if err := needFloat("Sum", xs...); err != nil {
		return nil, err
	}
	shape := xs[0].Shape()
	for _, x := range xs {
		if !slices.Equal(x.Shape(), shape) {
			return nil, fmt.Errorf("Sum: shapes %v and %v differ", shape, x.Shape())
		}
	}
	walk := kernel.NewBroadcast(shape, shape, shape)
	sum := xs[0]
	for _, x := range xs[1:] {
		var err error
		sum, err = apply(Op{
			Name: "Sum", Shape: shape, Dtype: tensor.Float32, Diff: []bool{true, true}, InPlace: First,
			ending: addEnding(shape, shape, shape),
			Run: func(c *Call) error {
				kernel.Combine(kernel.Add, c.Out.F, c.In[0].F, c.In[1].F, &walk)
				return nil
			},
			Grad: func(_ G.Nodes, _, g *G.Node) (G.Nodes, error) { return G.Nodes{g, g}, nil },
		}, sum, x)
		if err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// ReduceSum adds up x over the given axes, all of them if there are none.
// Negative axes count from the end. keepDims leaves the axes in place, with
// size 1. Totals of float32 are accumulated in float64.
func ReduceSum(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	return reduce("ReduceSum", x, axes, keepDims, false)
}

// ReduceMean is ReduceSum divided by the number of elements that are added up.
// x is float32.
func ReduceMean(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	if err := needFloat("ReduceMean", x); err != nil {
		return nil, err
	}
	return reduce("ReduceMean", x, axes, keepDims, true)
}

func reduce(name string, x *G.Node, axes []int, keepDims, mean bool) (*G.Node, error) {
	over, shape, err := reduced(name, x.Shape(), axes, keepDims)
	if err != nil {
		return nil, err
	}
	count := 1
	for k, d := range x.Shape() {
		if mean && over[k] {
			count *= d
		}
	}
	return reduceTo(name, x, over, shape, count)
}

// reduced marks the axes to reduce over, all of them if none are given, and is
// the shape that is left.
func reduced(name string, from tensor.Shape, axes []int, keepDims bool) (over []bool, shape tensor.Shape, err error) {
	over = make([]bool, len(from))
	for _, axis := range axes {
		k, err := wrapAxis(axis, len(from))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		if over[k] {
			return nil, nil, fmt.Errorf("%s: axis %d comes twice", name, k)
		}
		over[k] = true
	}
	shape = tensor.Shape{}
	for k, d := range from {
		over[k] = over[k] || len(axes) == 0
		switch {
		case !over[k]:
			shape = append(shape, d)
		case keepDims:
			shape = append(shape, 1)
		}
	}
	return over, shape, nil
}

// kept is a shape whose reduced axes have length 1.
func kept(from tensor.Shape, over []bool) tensor.Shape {
	shape := slices.Clone(from)
	for k := range shape {
		if over[k] {
			shape[k] = 1
		}
	}
	return shape
}

// sumTo sums x over the axes along which the shape repeats in x's.
func sumTo(x *G.Node, shape tensor.Shape) (*G.Node, error) {
	if slices.Equal(x.Shape(), shape) {
		return x, nil
	}
	over := make([]bool, x.Dims())
	lead := len(over) - len(shape)
	for k := range over {
		over[k] = k < lead || shape[k-lead] == 1
	}
	return reduceTo("ReduceSum", x, over, shape, 1)
}

// reduceTo sums x over the marked axes, divides by div, and calls the result's
// shape as given: what is left of x's, with or without axes of size 1.
func reduceTo(name string, x *G.Node, over []bool, shape tensor.Shape, div int) (*G.Node, error) {
	r := kernel.NewReduction(x.Shape(), over)
	o := Op{Name: name, Shape: shape, Dtype: x.Dtype()}
	if o.Dtype == tensor.Int64 {
		o.Run = func(c *Call) error {
			kernel.Sum(c.Out.I, c.In[0].I, &r, div)
			return nil
		}
		return apply(o, x)
	}
	o.Run = func(c *Call) error {
		kernel.Sum(c.Out.F, c.In[0].F, &r, div)
		return nil
	}
	o.Diff = []bool{true}
	o.Grad = func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		dx, err := Reshape(g, kept(in[0].Shape(), over)...)
		if err == nil && div != 1 {
			dx, err = scale(dx, float32(1/float64(div)))
		}
		if err == nil {
			dx, err = Expand(dx, in[0].Shape())
		}
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}

// wrapAxis counts a negative axis from the end.
func wrapAxis(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d of a tensor of rank %d", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}
