package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// LayerNorm is scale·(x - mean)/√(variance + eps) + shift, with mean and variance
// over the axes from the given one on. A negative axis counts from the end. scale
// and shift have the shape that x has there; shift may be nil.
func LayerNorm(x, scale, shift *G.Node, axis int, eps float32) (*G.Node, error) {
	in := []*G.Node{x, scale}
	if shift != nil {
		in = append(in, shift)
	}
	if err := needFloat("LayerNorm", in...); err != nil {
		return nil, err
	}
	axis, err := wrapAxis(axis, x.Dims())
	if err != nil {
		return nil, fmt.Errorf("LayerNorm: %w", err)
	}
	row := x.Shape()[axis:]
	if row.TotalSize() == 0 {
		return nil, fmt.Errorf("LayerNorm: nothing to normalise in shape %v", x.Shape())
	}
	for _, p := range in[1:] {
		if !slices.Equal(p.Shape(), row) {
			return nil, fmt.Errorf("LayerNorm: got a scale or shift of shape %v, want %v", p.Shape(), row)
		}
	}
	return apply(Op{
		Name:    "LayerNorm",
		Shape:   x.Shape(),
		Dtype:   tensor.Float32,
		Diff:    []bool{true, true, true}[:len(in)],
		InPlace: First,
		Run: func(c *Call) error {
			var shift []float32
			if len(c.In) > 2 {
				shift = c.In[2].F
			}
			kernel.LayerNorm(c.Out.F, c.In[0].F, c.In[1].F, shift, eps)
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := layerNormInputGrad(in[0], in[1], g, eps)
			if err != nil {
				return nil, err
			}
			dscale, dshift, err := layerNormParamGrads(in[0], in[1], g, eps)
			return G.Nodes{dx, dscale, dshift}[:len(in)], err
		},
	}, in...)
}

func layerNormInputGrad(x, scale, g *G.Node, eps float32) (*G.Node, error) {
	return apply(Op{
		Name:    "LayerNormInputGrad",
		Shape:   x.Shape(),
		Dtype:   tensor.Float32,
		InPlace: First,
		Run: func(c *Call) error {
			kernel.LayerNormInputGrad(c.Out.F, c.In[2].F, c.In[0].F, c.In[1].F, eps)
			return nil
		},
	}, g, scale, x)
}

// layerNormParamGrads are the gradients of scale and shift. One pass makes both.
func layerNormParamGrads(x, scale, g *G.Node, eps float32) (dscale, dshift *G.Node, err error) {
	n := scale.Shape().TotalSize()
	both, err := apply(Op{
		Name:  "LayerNormParamGrads",
		Shape: tensor.Shape{2 * n},
		Dtype: tensor.Float32,
		Run: func(c *Call) error {
			kernel.LayerNormParamGrads(c.Out.F[:n], c.Out.F[n:], c.In[0].F, c.In[1].F, eps)
			return nil
		},
	}, x, g)
	if err != nil {
		return nil, nil, err
	}
	grads := make([]*G.Node, 2)
	for i, name := range []string{"LayerNormScaleGrad", "LayerNormShiftGrad"} {
		grads[i], err = apply(Op{
			Name:  name,
			Shape: scale.Shape(),
			Dtype: tensor.Float32,
			Run: func(c *Call) error {
				copy(c.Out.F, c.In[0].F[i*n:])
				return nil
			},
		}, both)
		if err != nil {
			return nil, nil, err
		}
	}
	return grads[0], grads[1], nil
}
