package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// The normalisations here bring groups of elements of one example to mean 0 and
// variance 1. A group is what a channel is to batch normalisation in a batch of
// one example, and is computed as that.

// InstanceNormalization: scale·(x − mean)/√(variance + ε) + B, with the mean and
// variance of each channel of each example (Ulyanov et al., Instance
// Normalization, 2016).
// https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html, opsets 1 to 22.
func lowerInstanceNormalization(c *call) ([]*value, error) {
	if c.rank(0) < 3 {
		return nil, fmt.Errorf("input has shape %v, want (N, C, D1, …)", c.shape(0))
	}
	return c.result(c.groupNorm(c.shape(0)[1], c.node(1), c.node(2)))
}

// GroupNormalization: scale·(x − mean)/√(variance + ε) + bias, with the mean and
// variance of num_groups groups of channels of each example (Wu and He, Group
// Normalization, 2018). There is a scale and a bias a group before opset 21, and
// a channel since.
// https://onnx.ai/onnx/operators/onnx__GroupNormalization.html, opsets 18 to 21.
func lowerGroupNormalization(c *call) ([]*value, error) {
	groups := c.Attrs.Int("num_groups", 0)
	if c.rank(0) < 2 || groups < 1 || c.shape(0)[1]%groups != 0 {
		return nil, fmt.Errorf("num_groups is %d for input %v", groups, c.shape(0))
	}
	if c.Opset < 21 {
		return c.result(c.groupNorm(groups, c.node(1), c.node(2)))
	}
	n, err := c.groupNorm(groups, nil, nil)
	if err != nil {
		return nil, err
	}
	scale, err := c.perChannel(1)
	if err != nil {
		return nil, err
	}
	shift, err := c.perChannel(2)
	if err != nil {
		return nil, err
	}
	if n, err = op.Mul(n, scale); err != nil {
		return nil, err
	}
	return c.result(op.Add(n, shift))
}

// perChannel is input i, one number a channel, with axes for all behind.
func (c *call) perChannel(i int) (*G.Node, error) {
	shape := []int{c.in[i].size()}
	for range c.rank(0) - 2 {
		shape = append(shape, 1)
	}
	return op.Reshape(c.node(i), shape...)
}

// groupNorm normalises groups of channels of each example of input 0. scale and
// shift, one number a group, may be nil.
func (c *call) groupNorm(groups int, scale, shift *G.Node) (*G.Node, error) {
	examples := c.shape(0)[0]
	all := examples * groups
	if c.in[0].size() == 0 {
		return c.node(0), nil
	}
	for i, n := range []**G.Node{&scale, &shift} {
		var err error
		if *n == nil {
			*n = c.constant([]int{all}, slices.Repeat([]float32{float32(1 - i)}, all)...)
			continue
		}
		if !slices.Equal((*n).Shape(), []int{groups}) {
			return nil, fmt.Errorf("input %d has shape %v for %d groups", 1+i, (*n).Shape(), groups)
		}
		if *n, err = op.Expand(*n, []int{examples, groups}); err != nil {
			return nil, err
		}
		if *n, err = op.Reshape(*n, all); err != nil {
			return nil, err
		}
	}
	x, err := op.Reshape(c.node(0), 1, all, c.in[0].size()/all)
	if err != nil {
		return nil, err
	}
	y, _, _, err := op.BatchNormTrain(x, scale, shift, c.Attrs.Float("epsilon", 1e-5))
	if err != nil {
		return nil, err
	}
	return op.Reshape(y, c.shape(0)...)
}

// MeanVarianceNormalization: (x − mean)/(deviation + 10⁻⁹) over the given axes, by
// default all but the channels.
// https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html, opsets 9 to
// 13.
func lowerMeanVarianceNormalization(c *call) ([]*value, error) {
	list, err := axes(c.Attrs.Ints("axes", []int{0, 2, 3}), c.rank(0))
	if err != nil {
		return nil, err
	}
	x := c.node(0)
	mean, err := op.ReduceMean(x, list, true)
	if err == nil {
		x, err = op.Sub(x, mean)
	}
	if err != nil {
		return nil, err
	}
	variance, err := op.Mul(x, x)
	if err == nil {
		variance, err = op.ReduceMean(variance, list, true)
	}
	if err == nil {
		variance, err = op.Map(op.Sqrt, variance)
	}
	if err == nil {
		variance, err = op.Add(variance, c.constant(nil, 1e-9))
	}
	if err != nil {
		return nil, err
	}
	return c.result(op.Div(x, variance))
}

// LpNormalization: x divided by its norm along an axis (by default the last), the
// sum of absolute values for p = 1 or the root of that of squares for 2. Zeros
// stay zeros.
// https://onnx.ai/onnx/operators/onnx__LpNormalization.html, opsets 1 to 22.
func lowerLpNormalization(c *call) ([]*value, error) {
	at, err := axis(c.Attrs.Int("axis", -1), c.rank(0))
	if err != nil {
		return nil, err
	}
	norm := op.ReduceL2
	switch p := c.Attrs.Int("p", 2); p {
	case 1:
		norm = op.ReduceL1
	case 2:
	default:
		return nil, fmt.Errorf("p is %d, want 1 or 2", p)
	}
	length, err := norm(c.node(0), []int{at}, true)
	if err != nil {
		return nil, err
	}
	empty, err := op.Equal(length, c.constant(nil, 0))
	if err == nil {
		length, err = op.Where(empty, c.constant(nil, 1), length)
	}
	if err != nil {
		return nil, err
	}
	return c.result(op.Div(c.node(0), length))
}

// LRN: x / (bias + α/size·Σ x²)^β, the sum over size channels around each
// (Krizhevsky et al., ImageNet Classification, 2012).
// https://onnx.ai/onnx/operators/onnx__LRN.html, opsets 1 to 13.
func lowerLRN(c *call) ([]*value, error) {
	size := c.Attrs.Int("size", 0)
	if c.rank(0) < 2 || size < 1 || size > maxExtent {
		return nil, fmt.Errorf("size is %d for input %v", size, c.shape(0))
	}
	channels := c.shape(0)[1]
	taps := op.NewTaps(channels)
	for k := range channels {
		var index []int
		var weight []float64
		for i := max(0, k-(size-1)/2); i <= min(channels-1, k+size/2); i++ {
			index, weight = append(index, i), append(weight, c.number("alpha", 1e-4)/float64(size))
		}
		taps.Row(index, weight)
	}
	s, err := op.Mul(c.node(0), c.node(0))
	if err == nil {
		s, err = op.Resample(s, 1, taps)
	}
	if err == nil {
		s, err = op.Add(s, c.constant(nil, c.Attrs.Float("bias", 1)))
	}
	if err == nil {
		s, err = op.Pow(s, c.constant(nil, -c.Attrs.Float("beta", 0.75)))
	}
	if err != nil {
		return nil, err
	}
	return c.result(op.Mul(c.node(0), s))
}

// RMSNormalization: scale·x/√(mean of x² + ε) over the axes from the given one on,
// by default the last (Zhang and Sennrich, Root Mean Square Layer Normalization,
// 2019).
// https://onnx.ai/onnx/operators/onnx__RMSNormalization.html, opset 23.
func lowerRMSNormalization(c *call) ([]*value, error) {
	at, err := axis(c.Attrs.Int("axis", -1), c.rank(0))
	if err != nil {
		return nil, err
	}
	var list []int
	for k := at; k < c.rank(0); k++ {
		list = append(list, k)
	}
	x := c.node(0)
	s, err := op.Mul(x, x)
	if err == nil {
		s, err = op.ReduceMean(s, list, true)
	}
	if err == nil {
		s, err = op.Add(s, c.constant(nil, c.Attrs.Float("epsilon", 1e-5)))
	}
	if err == nil {
		s, err = op.Map(op.Sqrt, s)
	}
	if err == nil {
		x, err = op.Div(x, s)
	}
	if err != nil {
		return nil, err
	}
	return c.result(op.Mul(x, c.node(1)))
}
