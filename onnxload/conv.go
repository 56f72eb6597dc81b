package onnxload

import (
	"fmt"
	"slices"

	"finetune/internal/op"
)

// Conv: Y[n,m,o] = B[m] + Σ_{c,k} X[n, c, o·stride + k·dilation − pad]·W[m,c,k],
// X (N,C,D1,…), W (M,C/group,k1,…), B (M); group splits the channels.
// https://onnx.ai/onnx/operators/onnx__Conv.html, opsets 1 to 22. Rejected:
// negative pads, a kernel_shape that W does not have.
func lowerConv(c *call) ([]*value, error) {
	if c.rank(1) != c.rank(0) || c.rank(1) < 3 {
		return nil, fmt.Errorf("input %v and filters %v differ in rank, or have no spatial axis", c.shape(0), c.shape(1))
	}
	kernel := c.shape(1)[2:]
	if k := c.Attrs.Ints("kernel_shape", kernel); !slices.Equal(k, kernel) {
		return nil, fmt.Errorf("kernel_shape %v does not fit the filters %v", k, c.shape(1))
	}
	w, err := c.window(kernel)
	if err != nil {
		return nil, err
	}
	groups := c.Attrs.Int("group", 1)
	if groups < 1 {
		return nil, fmt.Errorf("group is %d, want at least 1", groups)
	}
	return c.result(op.Conv(c.node(0), c.node(1), c.node(2), op.ConvSpec{
		Kernel: w.kernel, Strides: w.strides, Dilations: w.dilations, Pads: w.pads, Groups: groups,
	}))
}
