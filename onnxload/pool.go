package onnxload

import (
	"errors"

	"finetune/internal/op"
)

// MaxPool: the largest element under each window; padding never wins.
// https://onnx.ai/onnx/operators/onnx__MaxPool.html, opsets 1 to 22. Rejected:
// the second output, the indices of the winners.
func lowerMaxPool(c *call) ([]*value, error) {
	if c.wants(1) {
		return nil, unsupported(c.Node, "its second output, Indices, is not supported")
	}
	s, err := c.pool()
	if err != nil {
		return nil, err
	}
	return c.result(op.MaxPool(c.node(0), s))
}

// AveragePool: the mean of the elements under each window, over those inside
// the input, or over the padding too with count_include_pad.
// https://onnx.ai/onnx/operators/onnx__AveragePool.html, opsets 1 to 22.
func lowerAveragePool(c *call) ([]*value, error) {
	s, err := c.pool()
	if err != nil {
		return nil, err
	}
	return c.result(op.AveragePool(c.node(0), s))
}

// GlobalAveragePool: the mean over all spatial axes, which stay with length 1.
// https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html, opsets 1 to 22.
func lowerGlobalAveragePool(c *call) ([]*value, error) {
	return c.result(op.GlobalAveragePool(c.node(0)))
}

func (c *call) pool() (op.PoolSpec, error) {
	kernel := c.Attrs.Ints("kernel_shape", nil)
	if kernel == nil {
		return op.PoolSpec{}, errors.New("attribute kernel_shape is missing")
	}
	w, err := c.window(kernel)
	auto := c.Attrs.String("auto_pad", "NOTSET")
	return op.PoolSpec{
		Kernel: w.kernel, Strides: w.strides, Dilations: w.dilations, Pads: w.pads,
		CeilMode:        c.Attrs.Int("ceil_mode", 0) != 0 && (auto == "NOTSET" || auto == ""),
		CountIncludePad: c.Attrs.Int("count_include_pad", 0) != 0,
	}, err
}
