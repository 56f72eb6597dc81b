package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/kernel"
)

// channelsOf reads a shape (N, C, spatial) as batch normalisation does.
func channelsOf(s tensor.Shape) kernel.Channels {
	return kernel.Channels{N: s[0], C: s[1], Size: s[2:].TotalSize()}
}

// checkNorm returns an error unless x is (N, C, spatial) and the others are (C).
func checkNorm(name string, x *G.Node, perChannel ...*G.Node) error {
	xs := x.Shape()
	if err := needFloat(name, append(perChannel, x)...); err != nil {
		return err
	}
	if len(xs) < 2 {
		return fmt.Errorf("%s: got input %v, want rank 2 or more", name, xs)
	}
	for i, n := range perChannel {
		if s := n.Shape(); len(s) != 1 || s[0] != xs[1] {
			return fmt.Errorf("%s: input %v: got shape %v for operand %d, want (%d)", name, xs, s, i+1, xs[1])
		}
	}
	return nil
}

// BatchNorm is scale·(x - mean)/sqrt(variance + eps) + shift for each channel of
// x (N, C, spatial), with the running statistics as they are given. All others
// have shape (C). No gradient goes to mean and variance.
func BatchNorm(x, scale, shift, mean, variance *G.Node, eps float32) (*G.Node, error) {
	if err := checkNorm("BatchNorm", x, scale, shift, mean, variance); err != nil {
		return nil, err
	}
	channels := channelsOf(x.Shape())
	return apply(Op{
		Name:    "BatchNorm",
		Shape:   x.Shape(),
		Dtype:   tensor.Float32,
		Diff:    []bool{true, true, true, false, false},
		InPlace: First,
		Run: func(c *Call) error {
			kernel.BatchNorm(channels, c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].F, c.In[4].F, eps, c.Out.F)
			return nil
		},
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			dx, err := apply(Op{
				Name:    "BatchNormInputGrad",
				Shape:   in[0].Shape(),
				Dtype:   tensor.Float32,
				InPlace: First,
				Run: func(c *Call) error {
					kernel.BatchNormBackward(channels, c.In[0].F, c.In[1].F, c.In[2].F, eps, c.Out.F)
					return nil
				},
			}, g, in[1], in[4])
			if err != nil {
				return nil, err
			}
			dscale, err := batchNormScaleGrad(in[0], g, in[3], in[4], eps)
			if err != nil {
				return nil, err
			}
			dshift, err := channelSums("BatchNormShiftGrad", g)
			return G.Nodes{dx, dscale, dshift, nil, nil}, err
		},
	}, x, scale, shift, mean, variance)
}

// batchNormScaleGrad is the gradient of the scale. It is a node apart from the
// gradient of the shift, for either may be frozen.
func batchNormScaleGrad(x, g, mean, variance *G.Node, eps float32) (*G.Node, error) {
	channels := channelsOf(x.Shape())
	return apply(Op{
		Name:    "BatchNormScaleGrad",
		Shape:   tensor.Shape{channels.C},
		Dtype:   tensor.Float32,
		Scratch: channels.C,
		Run: func(c *Call) error {
			kernel.BatchNormGrads(channels, c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].F, eps, c.Out.F, c.Scratch[:channels.C])
			return nil
		},
	}, x, g, mean, variance)
}

// BatchNormTrain is BatchNorm with the statistics of the batch itself: the mean
// and the biased variance of each channel of x, which it returns too, with shape
// (C). The gradient of x takes into account that they depend on x; they are no
// way for gradients by themselves.
func BatchNormTrain(x, scale, shift *G.Node, eps float32) (y, mean, variance *G.Node, err error) {
	if err := checkNorm("BatchNormTrain", x, scale, shift); err != nil {
		return nil, nil, nil, err
	}
	channels := channelsOf(x.Shape())
	stats, err := apply(Op{
		Name:  "BatchStats",
		Shape: tensor.Shape{2, channels.C},
		Dtype: tensor.Float32,
		Run: func(c *Call) error {
			kernel.BatchStats(channels, c.In[0].F, c.Out.F[:channels.C], c.Out.F[channels.C:])
			return nil
		},
	}, x)
	if err != nil {
		return nil, nil, nil, err
	}
	if mean, err = row("BatchMean", stats, 0); err != nil {
		return nil, nil, nil, err
	}
	if variance, err = row("BatchVariance", stats, 1); err != nil {
		return nil, nil, nil, err
	}
	y, err = apply(Op{
		Name:    "BatchNormTrain",
		Shape:   x.Shape(),
		Dtype:   tensor.Float32,
		Diff:    []bool{true, true, true, false, false},
		InPlace: First,
		Run: func(c *Call) error {
			kernel.BatchNorm(channels, c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].F, c.In[4].F, eps, c.Out.F)
			return nil
		},
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			return batchNormTrainGrads(in[0], in[1], in[3], in[4], g, eps)
		},
	}, x, scale, shift, mean, variance)
	return y, mean, variance, err
}

// batchNormTrainGrads are the gradients of x, scale and shift. The first needs
// the other two.
func batchNormTrainGrads(x, scale, mean, variance, g *G.Node, eps float32) (G.Nodes, error) {
	channels := channelsOf(x.Shape())
	dscale, err := batchNormScaleGrad(x, g, mean, variance, eps)
	if err != nil {
		return nil, err
	}
	dshift, err := channelSums("BatchNormShiftGrad", g)
	if err != nil {
		return nil, err
	}
	dx, err := apply(Op{
		Name:    "BatchNormTrainInputGrad",
		Shape:   x.Shape(),
		Dtype:   tensor.Float32,
		InPlace: Second,
		Run: func(c *Call) error {
			kernel.BatchNormTrainBackward(channels, c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].F, c.In[4].F, c.In[5].F, c.In[6].F, eps, c.Out.F)
			return nil
		},
	}, x, g, scale, mean, variance, dscale, dshift)
	return G.Nodes{dx, dscale, dshift, nil, nil}, err
}

// row is row i of a matrix. No gradient goes through it.
func row(name string, x *G.Node, i int) (*G.Node, error) {
	n := x.Shape()[1]
	return apply(Op{
		Name:  name,
		Shape: tensor.Shape{n},
		Dtype: tensor.Float32,
		Run: func(c *Call) error {
			copy(c.Out.F, c.In[0].F[i*n:])
			return nil
		},
	}, x)
}
