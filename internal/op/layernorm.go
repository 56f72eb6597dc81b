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
			grads, err := layerNormGrads(in[0], in[1], g, eps)
			return grads[:len(in)], err
		},
	}, in...)
}

// layerNormGrads are the gradients of the input, of scale and of shift. One pass
// makes all three, behind each other.
func layerNormGrads(x, scale, g *G.Node, eps float32) (grads G.Nodes, err error) {
	grads = make(G.Nodes, 3)
	size, n := x.Shape().TotalSize(), scale.Shape().TotalSize()
	all, err := apply(Op{
		Name:  "LayerNormGrads",
		Shape: tensor.Shape{size + 2*n},
		Dtype: tensor.Float32,
		Run: func(c *Call) error {
			dx, dscale, dshift := c.Out.F[:size], c.Out.F[size:size+n], c.Out.F[size+n:]
			kernel.LayerNormBackward(dx, dscale, dshift, c.In[0].F, c.In[1].F, c.In[2].F, eps)
			return nil
		},
	}, x, g, scale)
	if err != nil {
		return grads, err
	}
	if grads[0], err = apply(Op{Name: "LayerNormInputGrad", Shape: x.Shape(), Dtype: tensor.Float32, Alias: true}, all); err != nil {
		return grads, err
	}
	for i, name := range []string{"LayerNormScaleGrad", "LayerNormShiftGrad"} {
		part, err := stretch(name, all, size+i*n, n)
		if err != nil {
			return grads, err
		}
		if grads[1+i], err = Reshape(part, scale.Shape()...); err != nil {
			return grads, err
		}
	}
	return grads, nil
}
