package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Gather looks up slices of x along an axis of size n: the result has the shape
// of x with the axis replaced by the shape of indices. Indices are int64; a
// negative one counts from the end, and one outside [-n, n) is an error when
// the graph runs.
func Gather(x, indices *G.Node, axis int) (*G.Node, error) {
	if indices.Dtype() != tensor.Int64 {
		return nil, fmt.Errorf("Gather: indices are %v, want int64", indices.Dtype())
	}
	axis, err := wrapAxis(axis, x.Dims())
	if err != nil {
		return nil, fmt.Errorf("Gather: %w", err)
	}
	outer, n, inner := around(x.Shape(), axis)
	shape := slices.Concat(x.Shape()[:axis], indices.Shape(), x.Shape()[axis+1:])
	return apply(Op{
		Name: "Gather", Shape: shape, Dtype: x.Dtype(),
		Diff: []bool{x.Dtype() == tensor.Float32, false},
		Run: func(c *Call) error {
			if err := checkIndices(c.In[1].I, n); err != nil {
				return err
			}
			if c.Out.I != nil {
				kernel.Gather(c.Out.I, c.In[0].I, c.In[1].I, outer, n, inner)
			} else {
				kernel.Gather(c.Out.F, c.In[0].F, c.In[1].I, outer, n, inner)
			}
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := scatterAdd(g, in[1], in[0].Shape(), axis)
			return G.Nodes{dx, nil}, err
		},
	}, x, indices)
}

// scatterAdd is the gradient of Gather: zeros of the given shape, to which each
// slice of g is added where its index says.
func scatterAdd(g, indices *G.Node, shape tensor.Shape, axis int) (*G.Node, error) {
	outer, n, inner := around(shape, axis)
	return apply(Op{
		Name: "ScatterAdd", Shape: shape, Dtype: tensor.Float32, Diff: []bool{true, false},
		Run: func(c *Call) error {
			if err := checkIndices(c.In[1].I, n); err != nil {
				return err
			}
			kernel.ScatterAdd(c.Out.F, c.In[0].F, c.In[1].I, outer, n, inner)
			return nil
		},
		Grad: func(in G.Nodes, _, gg *G.Node) (G.Nodes, error) {
			dg, err := Gather(gg, in[1], axis)
			return G.Nodes{dg, nil}, err
		},
	}, g, indices)
}

func checkIndices(indices []int64, n int) error {
	if i := kernel.OutOfRange(indices, -int64(n), int64(n)); i >= 0 {
		return fmt.Errorf("index %d (element %d) is outside [%d, %d]", indices[i], i, -n, n-1)
	}
	return nil
}
