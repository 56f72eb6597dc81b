package onnxload

import "finetune/internal/op"

// Gemm: Y = α·A'·B' + β·C, with A' and B' transposed where asked, A (M,K),
// B (K,N), and C broadcast to (M,N).
// https://onnx.ai/onnx/operators/onnx__Gemm.html, opsets 1 to 13. Before opset 7
// C was stretched only if attribute broadcast said so; it is always here.
func lowerGemm(c *call) ([]*value, error) {
	return c.result(op.Gemm(c.node(0), c.node(1), c.node(2),
		c.Attrs.Int("transA", 0) != 0, c.Attrs.Int("transB", 0) != 0,
		c.Attrs.Float("alpha", 1), c.Attrs.Float("beta", 1)))
}

// MatMul: Y = A·B as numpy.matmul does it: the last two axes are multiplied,
// those before are broadcast, and a vector counts as one row or column.
// https://onnx.ai/onnx/operators/onnx__MatMul.html, opsets 1 to 13.
func lowerMatMul(c *call) ([]*value, error) {
	return c.result(op.MatMul(c.node(0), c.node(1), false, false))
}
