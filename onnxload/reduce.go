package onnxload

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// ReduceSum: the sum over the given axes, by default all, which stay with length
// 1 unless keepdims is 0. The axes are an attribute before opset 13 and an input
// since; noop_with_empty_axes makes an empty list mean none.
// https://onnx.ai/onnx/operators/onnx__ReduceSum.html, opsets 1 to 13. Rejected:
// axes that are not constant.
func lowerReduceSum(c *call) ([]*value, error) { return c.reduce(op.ReduceSum, 13) }

// ReduceMean: the mean over axes, given as for ReduceSum but as an input only
// since opset 18.
// https://onnx.ai/onnx/operators/onnx__ReduceMean.html, opsets 1 to 18. Rejected:
// axes that are not constant, integers.
func lowerReduceMean(c *call) ([]*value, error) { return c.reduce(op.ReduceMean, 18) }

func (c *call) reduce(f func(*G.Node, []int, bool) (*G.Node, error), inputSince int64) ([]*value, error) {
	var list []int
	var err error
	if c.Opset < inputSince {
		list = c.Attrs.Ints("axes", nil)
	} else if c.has(1) {
		if list, err = c.ints(1, "the list of axes"); err != nil {
			return nil, err
		}
	}
	if list, err = axes(list, c.rank(0)); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		if c.Attrs.Int("noop_with_empty_axes", 0) != 0 {
			return c.same(0), nil
		}
		for k := range c.rank(0) {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	if len(list) == 0 {
		return c.same(0), nil // a scalar
	}
	return c.result(f(c.node(0), list, c.Attrs.Int("keepdims", 1) != 0))
}
