package op

import (
	"fmt"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CumSum is the running sum along an axis. With exclusive, an element does not
// count into its own total; with reverse, the totals are taken from the end.
func CumSum(x *G.Node, axis int, exclusive, reverse bool) (*G.Node, error) {
	s := kernel.Scan{Exclusive: exclusive, Reverse: reverse}
	return scan("CumSum", x, axis, s, kernel.CumSum[float32], kernel.CumSum[int64],
		func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := CumSum(g, axis, exclusive, !reverse)
			return G.Nodes{dx}, err
		})
}

// CumProd is the running product along an axis; see CumSum.
func CumProd(x *G.Node, axis int, exclusive, reverse bool) (*G.Node, error) {
	s := kernel.Scan{Exclusive: exclusive, Reverse: reverse}
	return scan("CumProd", x, axis, s, kernel.CumProd[float32], kernel.CumProd[int64],
		func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			axis, err := wrapAxis(axis, g.Dims())
			if err != nil {
				return nil, err
			}
			outer, n, inner := around(g.Shape(), axis)
			dx, err := apply(Op{
				Name: "CumProdGrad", Shape: g.Shape(), Dtype: tensor.Float32,
				Run: func(c *Call) error {
					kernel.CumProdGrad(c.Out.F, c.In[0].F, c.In[1].F, outer, n, inner, s)
					return nil
				},
			}, in[0], g)
			return G.Nodes{dx}, err
		})
}

func scan(name string, x *G.Node, axis int, s kernel.Scan, ofFloats func(out, x []float32, outer, n, inner int, s kernel.Scan),
	ofInts func(out, x []int64, outer, n, inner int, s kernel.Scan), grad gradient) (*G.Node, error) {
	axis, err := wrapAxis(axis, x.Dims())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	outer, n, inner := around(x.Shape(), axis)
	return apply(Op{
		Name: name, Shape: x.Shape(), Dtype: x.Dtype(), Diff: floats(x), Grad: grad,
		Run: func(c *Call) error {
			if c.Out.I != nil {
				ofInts(c.Out.I, c.In[0].I, outer, n, inner, s)
			} else {
				ofFloats(c.Out.F, c.In[0].F, outer, n, inner, s)
			}
			return nil
		},
	}, x)
}
