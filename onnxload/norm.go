package onnxload

import (
	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// BatchNormalization: Y = scale·(X − mean)/√(var + ε) + B per channel (axis 1),
// with the running mean and variance of the file, or in training with those of
// the batch (Ioffe and Szegedy, Batch Normalization, 2015).
// https://onnx.ai/onnx/operators/onnx__BatchNormalization.html, opsets 1 to 15.
// Rejected: spatial=0 (statistics per element), and outputs but the first unless
// attribute training_mode asks for them.
func lowerBatchNormalization(c *call) ([]*value, error) {
	if c.Attrs.Int("spatial", 1) == 0 {
		return nil, unsupported(c.Node, "spatial=0, statistics per element, is not supported")
	}
	epsilon := c.Attrs.Float("epsilon", 1e-5)
	momentum := c.Attrs.Float("momentum", 0.9)
	asked := c.Opset >= 14 && c.Attrs.Int("training_mode", 0) != 0
	own := c.l.cfg.Training && c.l.cfg.BatchNorm == BatchNormTrain
	if !asked && !own {
		return c.result(op.BatchNorm(c.node(0), c.node(1), c.node(2), c.node(3), c.node(4), epsilon))
	}

	y, mean, variance, err := op.BatchNormTrain(c.node(0), c.node(1), c.node(2), epsilon)
	if err != nil {
		return nil, err
	}
	out := []*value{c.value(c.in[0].dtype, y)}
	if own && !c.fold {
		if err := c.recordStats(mean, variance, momentum); err != nil {
			return nil, err
		}
	}
	if !asked {
		return out, nil
	}
	for i, batch := range []*G.Node{mean, variance} {
		running, err := c.blend(c.node(3+i), batch, momentum)
		if err != nil {
			return nil, err
		}
		out = append(out, c.value(c.in[3+i].dtype, running))
	}
	return out, nil
}

// recordStats notes where the batch's statistics are and what they update.
func (c *call) recordStats(mean, variance *G.Node, momentum float32) error {
	runningMean, runningVar := c.in[3].param, c.in[4].param
	if runningMean == nil || runningVar == nil {
		return unsupported(c.Node, "its running statistics are computed, not stored; train with batch norm frozen")
	}
	channels := c.shape(0)[1]
	c.claim(mean)
	c.claim(variance)
	c.l.prog.Stats = append(c.l.prog.Stats, BatchStats{
		Mean: mean, Variance: variance,
		RunningMean: runningMean, RunningVar: runningVar,
		Momentum: momentum,
		Count:    c.in[0].size() / max(1, channels),
		Node:     c.Name,
	})
	return nil
}

// blend is momentum·old + (1 − momentum)·new.
func (c *call) blend(old, new *G.Node, momentum float32) (*G.Node, error) {
	a, err := op.Mul(old, c.constant(nil, momentum))
	if err != nil {
		return nil, err
	}
	b, err := op.Mul(new, c.constant(nil, 1-momentum))
	if err != nil {
		return nil, err
	}
	return op.Add(a, b)
}
