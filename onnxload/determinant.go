package onnxload

import "finetune/internal/op"

// Det: the determinant of each matrix in the last two axes.
// https://onnx.ai/onnx/operators/onnx__Det.html, opsets 11 to 22.
func lowerDet(c *call) ([]*value, error) { return c.result(op.Det(c.node(0))) }
