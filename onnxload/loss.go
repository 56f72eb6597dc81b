package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// NegativeLogLikelihoodLoss: −w[t]·x[n, t, …] for logarithms of probabilities x
// (N, C, …) and targets t (N, …), summed, as a mean weighted by w, or one by one,
// as reduction says. Targets of ignore_index count nothing.
// https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html, opsets 12 to
// 22.
func lowerNegativeLogLikelihoodLoss(c *call) ([]*value, error) {
	return c.result(c.likelihoodLoss(c.node(0)))
}

// SoftmaxCrossEntropyLoss: NegativeLogLikelihoodLoss of LogSoftmax over the
// classes (axis 1), which is the second output.
// https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html, opsets 12 to 13.
func lowerSoftmaxCrossEntropyLoss(c *call) ([]*value, error) {
	logs, err := op.LogSoftmax(c.node(0), 1)
	if err != nil {
		return nil, err
	}
	loss, err := c.likelihoodLoss(logs)
	if err != nil {
		return nil, err
	}
	return []*value{c.value(c.in[0].dtype, loss), c.value(c.in[0].dtype, logs)}, nil
}

// likelihoodLoss is the loss of logarithms of probabilities. Inputs 1 and 2 are
// the targets and the weights of the classes.
func (c *call) likelihoodLoss(logs *G.Node) (*G.Node, error) {
	shape := logs.Shape()
	if len(shape) < 2 || !slices.Equal(c.shape(1), slices.Delete(slices.Clone([]int(shape)), 1, 2)) {
		return nil, fmt.Errorf("targets of shape %v for input %v", c.shape(1), shape)
	}
	target, weight, err := c.countedTargets()
	if err != nil {
		return nil, err
	}
	column := slices.Clone([]int(shape))
	column[1] = 1
	index, err := op.Reshape(target, column...)
	if err != nil {
		return nil, err
	}
	loss, err := op.GatherElements(logs, index, 1)
	if err == nil {
		loss, err = op.Reshape(loss, c.shape(1)...)
	}
	if err == nil {
		loss, err = op.Map(op.Neg, loss)
	}
	if err == nil && weight != nil {
		loss, err = op.Mul(loss, weight)
	}
	if err != nil {
		return nil, err
	}
	switch reduction := c.Attrs.String("reduction", "mean"); {
	case reduction == "none":
		return loss, nil
	case reduction == "sum":
		return op.ReduceSum(loss, nil, false)
	case reduction == "mean" && weight == nil:
		return op.ReduceMean(loss, nil, false)
	case reduction == "mean":
		if loss, err = op.ReduceSum(loss, nil, false); err != nil {
			return nil, err
		}
		total, err := op.ReduceSum(weight, nil, false)
		if err != nil {
			return nil, err
		}
		return op.Div(loss, total)
	default:
		return nil, fmt.Errorf("reduction %q is none of none, sum, mean", reduction)
	}
}

// countedTargets is the targets, class 0 in place of those to ignore, and the
// weight of each, nil where all weigh 1.
func (c *call) countedTargets() (target, weight *G.Node, err error) {
	if target, err = op.ToInt(c.node(1)); err != nil {
		return nil, nil, err
	}
	var ignored *G.Node
	if c.Attrs.Has("ignore_index") {
		ignored, err = op.Equal(target, c.constantInts(nil, []int64{int64(c.Attrs.Int("ignore_index", 0))}))
		if err == nil {
			target, err = op.Where(ignored, c.zero(Int64), target)
		}
	}
	if err == nil && c.has(2) {
		weight, err = op.Gather(c.node(2), target, 0)
	}
	if err != nil || ignored == nil {
		return target, weight, err
	}
	if weight == nil {
		weight = c.constant(nil, 1)
	}
	weight, err = op.Where(ignored, c.zero(Float32), weight)
	return target, weight, err
}
