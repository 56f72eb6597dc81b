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
	o := Op{
		Name:    "BatchNorm",
		Shape:   x.Shape(),
		Dtype:   tensor.Float32,
		Diff:    []bool{true, true, true, false, false},
		InPlace: First,
		ending:  &ending{part: scaled, on: First, eps: eps},
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			dx, err := batchNormInputGrad(in[1], in[4], g, eps)
			if err != nil {
				return nil, err
			}
			dscale, dshift, err := batchNormParamGrads(in[0], in[3], in[4], g, eps)
			return G.Nodes{dx, dscale, dshift, nil, nil}, err
		},
	}
	o.finishing(finisher{from: addSame, upTo: clamp, run: func(c *Call, then kernel.Epilogue) error {
		n := channelNorm(channels, eps, then)
		n.Scale, n.Shift, n.Mean, n.Variance = c.In[1].F, c.In[2].F, c.In[3].F, c.In[4].F
		n.Forward(c.In[0].F, c.Out.F)
		return nil
	}})
	return apply(o, x, scale, shift, mean, variance)
}

// channelNorm is batch normalisation with what is done along the way.
func channelNorm(channels kernel.Channels, eps float32, then kernel.Epilogue) kernel.ChannelNorm {
	return kernel.ChannelNorm{Channels: channels, Eps: eps, Add: then.Add, Limited: then.Clamp, Low: then.Lo, High: then.Hi}
}

// BatchNormTrain is BatchNorm with the statistics of the batch itself: the mean
// and the biased variance of each channel of x, which it returns too, with shape
// (C). The gradient of x takes into account that they depend on x; they are no
// way for gradients by themselves.
func BatchNormTrain(x, scale, shift *G.Node, eps float32) (y, mean, variance *G.Node, err error) {
	if err := checkNorm("BatchNormTrain", x, scale, shift); err != nil {
		return nil, nil, nil, err
	}
	// One pass makes all three, behind each other.
	channels := channelsOf(x.Shape())
	size, n := x.Shape().TotalSize(), channels.C
	o := Op{Name: "BatchNormTrain", Shape: tensor.Shape{size + 2*n}, Dtype: tensor.Float32}
	o.finishing(finisher{from: addSame, upTo: clamp, run: func(c *Call, then kernel.Epilogue) error {
		norm := channelNorm(channels, eps, then)
		norm.Scale, norm.Shift = c.In[1].F, c.In[2].F
		norm.Mean, norm.Variance = c.Out.F[size:size+n], c.Out.F[size+n:]
		norm.Train(c.In[0].F, c.Out.F[:size])
		return nil
	}})
	all, err := apply(o, x, scale, shift)
	if err != nil {
		return nil, nil, nil, err
	}
	if mean, err = stretch("BatchMean", all, size, n); err != nil {
		return nil, nil, nil, err
	}
	if variance, err = stretch("BatchVariance", all, size+n, n); err != nil {
		return nil, nil, nil, err
	}
	// The inputs behind the first are for the gradient.
	y, err = apply(Op{
		Name:  "BatchNormTrain",
		Shape: x.Shape(),
		Dtype: tensor.Float32,
		Alias: true,
		Diff:  []bool{false, true, true, true, false, false},
		Grad: func(in G.Nodes, y, g *G.Node) (G.Nodes, error) {
			dx, dscale, dshift, err := batchNormTrainGrads(in[1], in[2], in[3], in[4], in[5], gateOf(g, y), g, eps)
			return G.Nodes{nil, dx, dscale, dshift, nil, nil}, err
		},
	}, all, x, scale, shift, mean, variance)
	return y, mean, variance, err
}

// batchNormTrainGrads are the gradients of the input, through its statistics too,
// and of scale and shift. One pass makes all three. Behind a gate it starts from
// the gradient before that: which elements pass can be seen from x, which it reads
// in any case.
func batchNormTrainGrads(x, scale, shift, mean, variance *G.Node, behind *gate, g *G.Node, eps float32) (dx, dscale, dshift *G.Node, err error) {
	channels := channelsOf(x.Shape())
	size, n := x.Shape().TotalSize(), channels.C
	norm := kernel.ChannelNorm{Channels: channels, Eps: eps}
	if behind != nil {
		g = behind.grad
		norm.Limited, norm.Low, norm.High = true, behind.low, behind.high
	}
	all, err := apply(Op{
		Name:    "BatchNormTrainGrads",
		Shape:   tensor.Shape{size + 2*n},
		Dtype:   tensor.Float32,
		InPlace: Second,
		Run: func(c *Call) error {
			norm := norm
			norm.Scale, norm.Shift, norm.Mean, norm.Variance = c.In[2].F, c.In[3].F, c.In[4].F, c.In[5].F
			norm.Backward(kernel.ChannelGrads{
				X: c.In[0].F, Dy: c.In[1].F, Train: true,
				Dx: c.Out.F[:size], Dscale: c.Out.F[size : size+n], Dshift: c.Out.F[size+n:],
			})
			return nil
		},
	}, x, g, scale, shift, mean, variance)
	if err != nil {
		return nil, nil, nil, err
	}
	if dscale, err = stretch("BatchNormScaleGrad", all, size, n); err != nil {
		return nil, nil, nil, err
	}
	if dshift, err = stretch("BatchNormShiftGrad", all, size+n, n); err != nil {
		return nil, nil, nil, err
	}
	dx, err = apply(Op{Name: "BatchNormInputGrad", Shape: x.Shape(), Dtype: tensor.Float32, Alias: true}, all)
	return dx, dscale, dshift, err
}

// batchNormInputGrad is the gradient of the input where the statistics are
// given. It depends on neither input nor mean.
func batchNormInputGrad(scale, variance, g *G.Node, eps float32) (*G.Node, error) {
	channels := channelsOf(g.Shape())
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

// batchNormParamGrads are the gradients of scale and shift.
func batchNormParamGrads(x, mean, variance, g *G.Node, eps float32) (dscale, dshift *G.Node, err error) {
	channels := channelsOf(x.Shape())
	both, err := apply(Op{
		Name:  "BatchNormParamGrads",
		Shape: tensor.Shape{2 * channels.C},
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
	if dscale, err = stretch("BatchNormScaleGrad", both, 0, channels.C); err != nil {
		return nil, nil, err
	}
	dshift, err = stretch("BatchNormShiftGrad", both, channels.C, channels.C)
	return dscale, dshift, err
}

// stretch is n elements of a vector from one on. No gradient goes through it.
func stretch(name string, x *G.Node, from, n int) (*G.Node, error) {
	return apply(Op{
		Name:  name,
		Shape: tensor.Shape{n},
		Dtype: tensor.Float32,
		Run: func(c *Call) error {
			copy(c.Out.F, c.In[0].F[from:])
			return nil
		},
	}, x)
}
