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
	return normalize("BatchNorm", false, eps, x, scale, shift, mean, variance)
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
			n := kernel.ChannelNorm{Channels: channels, Mean: c.Out.F[:channels.C], Variance: c.Out.F[channels.C:]}
			n.Stats(c.In[0].F)
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
	y, err = normalize("BatchNormTrain", true, eps, x, scale, shift, mean, variance)
	return y, mean, variance, err
}

// normalize uses the given statistics, which are those of x if train is set.
func normalize(name string, train bool, eps float32, x, scale, shift, mean, variance *G.Node) (*G.Node, error) {
	channels := channelsOf(x.Shape())
	return apply(Op{
		Name:    name,
		Shape:   x.Shape(),
		Dtype:   tensor.Float32,
		Diff:    []bool{true, true, true, false, false},
		InPlace: First,
		Run: func(c *Call) error {
			n := kernel.ChannelNorm{
				Channels: channels, Eps: eps,
				Scale: c.In[1].F, Shift: c.In[2].F, Mean: c.In[3].F, Variance: c.In[4].F,
			}
			n.Forward(c.In[0].F, c.Out.F)
			return nil
		},
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			dx, err := batchNormInputGrad(train, in[0], in[1], in[3], in[4], g, eps)
			if err != nil {
				return nil, err
			}
			dscale, dshift, err := batchNormParamGrads(in[0], in[3], in[4], g, eps)
			return G.Nodes{dx, dscale, dshift, nil, nil}, err
		},
	}, x, scale, shift, mean, variance)
}

// batchNormInputGrad is the gradient of x, through its statistics too if train
// is set. Otherwise it depends on neither x nor mean.
func batchNormInputGrad(train bool, x, scale, mean, variance, g *G.Node, eps float32) (*G.Node, error) {
	channels := channelsOf(g.Shape())
	if !train {
		return apply(Op{
			Name:    "BatchNormInputGrad",
			Shape:   g.Shape(),
			Dtype:   tensor.Float32,
			InPlace: First,
			Run: func(c *Call) error {
				n := kernel.ChannelNorm{Channels: channels, Eps: eps, Scale: c.In[1].F, Variance: c.In[2].F}
				n.Backward(kernel.ChannelGrads{Dy: c.In[0].F, Dx: c.Out.F})
				return nil
			},
		}, g, scale, variance)
	}
	return apply(Op{
		Name:    "BatchNormTrainInputGrad",
		Shape:   g.Shape(),
		Dtype:   tensor.Float32,
		InPlace: First,
		Run: func(c *Call) error {
			n := kernel.ChannelNorm{Channels: channels, Eps: eps, Scale: c.In[1].F, Variance: c.In[2].F, Mean: c.In[3].F}
			n.Backward(kernel.ChannelGrads{Dy: c.In[0].F, Dx: c.Out.F, X: c.In[4].F, Train: true})
			return nil
		},
	}, g, scale, variance, mean, x)
}

// batchNormParamGrads are the gradients of scale and shift.
func batchNormParamGrads(x, mean, variance, g *G.Node, eps float32) (dscale, dshift *G.Node, err error) {
	channels := channelsOf(x.Shape())
	both, err := apply(Op{
		Name:  "BatchNormParamGrads",
		Shape: tensor.Shape{2, channels.C},
		Dtype: tensor.Float32,
		Run: func(c *Call) error {
			n := kernel.ChannelNorm{Channels: channels, Eps: eps, Mean: c.In[2].F, Variance: c.In[3].F}
			n.Backward(kernel.ChannelGrads{X: c.In[0].F, Dy: c.In[1].F, Dscale: c.Out.F[:channels.C], Dshift: c.Out.F[channels.C:]})
			return nil
		},
	}, x, g, mean, variance)
	if err != nil {
		return nil, nil, err
	}
	if dscale, err = row("BatchNormScaleGrad", both, 0); err != nil {
		return nil, nil, err
	}
	dshift, err = row("BatchNormShiftGrad", both, 1)
	return dscale, dshift, err
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
