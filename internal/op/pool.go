package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/kernel"
)

// PoolSpec says how a pooling slides over an image, with lists as in ConvSpec.
// Kernel must be given. With CeilMode a last window that is not filled counts
// too, unless it starts in the padding behind the input. With CountIncludePad
// an average divides by the padding it sees as well.
type PoolSpec struct {
	Kernel, Strides, Dilations, Pads []int
	CeilMode, CountIncludePad        bool
}

// pool makes a pooling of x and the shape of its result.
func (s PoolSpec) pool(name string, x *G.Node) (*kernel.Pool, tensor.Shape, error) {
	xs := x.Shape()
	if err := needFloat(name, x); err != nil {
		return nil, nil, err
	}
	if len(xs) < 3 || len(xs) > 5 {
		return nil, nil, fmt.Errorf("%s: got input %v, want rank 3 to 5", name, xs)
	}
	slide, err := newSliding(xs[2:], s.Kernel, s.Strides, s.Dilations, s.Pads, s.CeilMode)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: input %v: %w", name, xs, err)
	}
	p := kernel.NewPool(xs[0]*xs[1], slide.window(), s.CountIncludePad, slide.end)
	return p, append(tensor.Shape{xs[0], xs[1]}, slide.out...), nil
}

// MaxPool is the maximum of x (N, C, spatial) under each position of the window.
// Padding never wins. The gradient goes to the first of equal maxima.
func MaxPool(x *G.Node, s PoolSpec) (*G.Node, error) {
	p, shape, err := s.pool("MaxPool", x)
	if err != nil {
		return nil, err
	}
	return apply(Op{
		Name:  "MaxPool",
		Shape: shape,
		Dtype: tensor.Float32,
		Diff:  []bool{true},
		Run: func(c *Call) error {
			p.Max(c.In[0].F, c.Out.F)
			return nil
		},
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			dx, err := apply(Op{
				Name:  "MaxPoolGrad",
				Shape: in[0].Shape(),
				Dtype: tensor.Float32,
				Run: func(c *Call) error {
					p.MaxBackward(c.In[0].F, c.In[1].F, c.Out.F)
					return nil
				},
			}, in[0], g)
			return G.Nodes{dx}, err
		},
	}, x)
}

// AveragePool is the mean of x (N, C, spatial) under each position of the
// window.
func AveragePool(x *G.Node, s PoolSpec) (*G.Node, error) {
	p, shape, err := s.pool("AveragePool", x)
	if err != nil {
		return nil, err
	}
	return linearPool("AveragePool", x, shape, p.Average, p.AverageBackward)
}

// GlobalAveragePool is the mean of each channel of x (N, C, spatial), with shape
// (N, C, 1, …).
func GlobalAveragePool(x *G.Node) (*G.Node, error) {
	xs := x.Shape()
	if err := needFloat("GlobalAveragePool", x); err != nil {
		return nil, err
	}
	if len(xs) < 3 {
		return nil, fmt.Errorf("GlobalAveragePool: got input %v, want rank 3 or more", xs)
	}
	shape := xs.Clone()
	for i := range shape[2:] {
		shape[2+i] = 1
	}
	return linearPool("GlobalAveragePool", x, shape, kernel.PlaneMeans, kernel.PlaneMeansBackward)
}

// linearPool is a pooling whose gradient needs nothing but that of its result.
func linearPool(name string, x *G.Node, shape tensor.Shape, forward func(x, y []float32), backward func(dy, dx []float32)) (*G.Node, error) {
	return apply(Op{
		Name:  name,
		Shape: shape,
		Dtype: tensor.Float32,
		Diff:  []bool{true},
		Run: func(c *Call) error {
			forward(c.In[0].F, c.Out.F)
			return nil
		},
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			dx, err := apply(Op{
				Name:  name + "Grad",
				Shape: in[0].Shape(),
				Dtype: tensor.Float32,
				Run: func(c *Call) error {
					backward(c.In[0].F, c.Out.F)
					return nil
				},
			}, g)
			return G.Nodes{dx}, err
		},
	}, x)
}
