package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Taps is a linear map of one axis to another: each element of the result is the
// weighted sum of a few of x.
type Taps = kernel.Taps

// NewTaps is a map from an axis of the given size to one without elements, which
// its method Row adds.
func NewTaps(from int) *Taps { return kernel.NewTaps(from) }

// Resample maps an axis of x by taps.
func Resample(x *G.Node, axis int, t *Taps) (*G.Node, error) {
	if err := needFloat("Resample", x); err != nil {
		return nil, err
	}
	axis, err := wrapAxis(axis, x.Dims())
	if err != nil {
		return nil, fmt.Errorf("Resample: %w", err)
	}
	if x.Shape()[axis] != t.From {
		return nil, fmt.Errorf("Resample: axis %d of %v, want a length of %d", axis, x.Shape(), t.From)
	}
	return resample("Resample", x, axis, t, t.Transposed())
}

// resample maps an axis by taps whose transposed map is back.
func resample(name string, x *G.Node, axis int, t, back *Taps) (*G.Node, error) {
	outer, _, inner := around(x.Shape(), axis)
	shape := slices.Clone(x.Shape())
	shape[axis] = t.To()
	return apply(Op{
		Name: name, Shape: shape, Dtype: tensor.Float32, Diff: []bool{true},
		Run: func(c *Call) error {
			t.Resample(c.Out.F, c.In[0].F, outer, inner)
			return nil
		},
		Grad: func(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := resample("ResampleGrad", g, axis, back, t)
			return G.Nodes{dx}, err
		},
	}, x)
}
