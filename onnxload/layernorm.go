package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// LayerNormalization: scale·(x − mean)/√(variance + ε) + B, with mean and variance
// over the axes from the given one on, by default the last (Ba et al., Layer
// Normalization, 2016). The mean and 1/√(variance + ε) are outputs as well.
// https://onnx.ai/onnx/operators/onnx__LayerNormalization.html, opset 17.
func lowerLayerNormalization(c *call) ([]*value, error) {
	at, err := axis(c.Attrs.Int("axis", -1), c.rank(0))
	if err != nil {
		return nil, err
	}
	row := c.shape(0)[at:]
	scale, err := c.spread(1, row)
	if err != nil {
		return nil, err
	}
	shift, err := c.spread(2, row)
	if err != nil {
		return nil, err
	}
	epsilon := c.Attrs.Float("epsilon", 1e-5)
	y, err := op.LayerNorm(c.node(0), scale, shift, at, epsilon)
	if err != nil {
		return nil, err
	}
	out := []*value{c.value(c.in[0].dtype, y)}
	if !c.wants(1) && !c.wants(2) {
		return out, nil
	}
	mean, inverse, err := c.moments(at, epsilon)
	if err != nil {
		return nil, err
	}
	return append(out, c.value(c.in[0].dtype, mean), c.value(c.in[0].dtype, inverse)), nil
}

// spread is input i repeated to a shape; nil if it is not given.
func (c *call) spread(i int, shape []int) (*G.Node, error) {
	if !c.has(i) {
		return nil, nil
	}
	n, err := op.Expand(c.node(i), shape)
	if err == nil && !slices.Equal(n.Shape(), shape) {
		err = fmt.Errorf("input %d has shape %v, want one that fits %v", i, c.shape(i), shape)
	}
	return n, err
}

// moments are the mean over the axes from at on, and one over the deviation.
func (c *call) moments(at int, epsilon float32) (mean, inverse *G.Node, err error) {
	var list []int
	for k := at; k < c.rank(0); k++ {
		list = append(list, k)
	}
	if mean, err = op.ReduceMean(c.node(0), list, true); err != nil {
		return nil, nil, err
	}
	d, err := op.Sub(c.node(0), mean)
	if err == nil {
		d, err = op.Mul(d, d)
	}
	if err == nil {
		d, err = op.ReduceMean(d, list, true)
	}
	if err == nil {
		d, err = op.Add(d, c.constant(nil, epsilon))
	}
	if err == nil {
		d, err = op.Map(op.Sqrt, d)
	}
	if err == nil {
		d, err = op.Map(op.Reciprocal, d)
	}
	return mean, d, err
}
