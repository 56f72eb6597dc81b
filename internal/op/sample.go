package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The ways to read between elements, and what lies around an image.
const (
	Nearest = kernel.Nearest
	Linear  = kernel.Linear
	Cubic   = kernel.Cubic

	Zeros  = kernel.Zeros
	Border = kernel.Border
	Mirror = kernel.Mirror
)

// SampleSpec says how Sample reads; see kernel.Sampler.
type SampleSpec struct {
	Mode        kernel.Interpolation
	Outside     kernel.Outside
	EdgeCenters bool // mirrors stand at the centres of the outermost elements, not at their edges
}

// Sample reads x (N, C, spatial), of one to three spatial axes, at places (N, P,
// axes) that count in elements along each axis, between them as well. The result
// is (N, C, P). Places have a gradient too, 0 where the nearest element is read
// or outside of a border.
func Sample(x, at *G.Node, s SampleSpec) (*G.Node, error) {
	if err := needFloat("Sample", x, at); err != nil {
		return nil, err
	}
	xs, as := x.Shape(), at.Shape()
	if len(xs) < 3 || len(xs) > 5 || len(as) != 3 || as[0] != xs[0] || as[2] != len(xs)-2 {
		return nil, fmt.Errorf("Sample: input %v at places %v, want (N, C, spatial) and (N, P, axes)", xs, as)
	}
	if slices.Contains(xs[2:], 0) {
		return nil, fmt.Errorf("Sample: input %v has no elements to read", xs)
	}
	k := kernel.Sampler{
		Images: xs[0], Channels: xs[1], Points: as[1], Size: slices.Clone(xs[2:]),
		Mode: s.Mode, Outside: s.Outside, EdgeCenters: s.EdgeCenters,
	}
	return apply(Op{
		Name: "Sample", Shape: tensor.Shape{xs[0], xs[1], as[1]}, Dtype: tensor.Float32, Diff: []bool{true, true},
		Run: func(c *Call) error {
			k.Sample(c.Out.F, c.In[0].F, c.In[1].F)
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := apply(Op{
				Name: "SampleGrad", Shape: in[0].Shape(), Dtype: tensor.Float32,
				Run: func(c *Call) error {
					k.ImageGrad(c.Out.F, c.In[0].F, c.In[1].F)
					return nil
				},
			}, g, in[1])
			if err != nil {
				return nil, err
			}
			dat, err := apply(Op{
				Name: "SamplePlaceGrad", Shape: in[1].Shape(), Dtype: tensor.Float32,
				Run: func(c *Call) error {
					k.PlaceGrad(c.Out.F, c.In[0].F, c.In[1].F, c.In[2].F)
					return nil
				},
			}, g, in[0], in[1])
			return G.Nodes{dx, dat}, err
		},
	}, x, at)
}
