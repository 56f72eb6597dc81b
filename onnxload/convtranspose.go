package onnxload

import (
	"fmt"
	"slices"

	"finetune/internal/op"
)

// ConvTranspose: each element of X (N,C,D1,…) spread by the filters W
// (C,M/group,k1,…) over an image of stride·(in − 1) + output_padding +
// (kernel − 1)·dilation + 1 − pads elements an axis, and B (M) added. Where
// output_shape is given, or auto_pad asks for in·stride, the pads follow from that.
// https://onnx.ai/onnx/operators/onnx__ConvTranspose.html, opsets 1 to 22.
// Rejected: negative pads, a kernel_shape that W does not have.
func lowerConvTranspose(c *call) ([]*value, error) {
	if c.rank(1) != c.rank(0) || c.rank(1) < 3 {
		return nil, fmt.Errorf("input %v and filters %v differ in rank, or have no spatial axis", c.shape(0), c.shape(1))
	}
	if c.in[1].size() == 0 {
		return nil, fmt.Errorf("filters %v have no elements", c.shape(1))
	}
	kernel := c.shape(1)[2:]
	if k := c.Attrs.Ints("kernel_shape", kernel); !slices.Equal(k, kernel) {
		return nil, fmt.Errorf("kernel_shape %v does not fit the filters %v", k, c.shape(1))
	}
	w, more, err := c.spreading(kernel)
	if err != nil {
		return nil, err
	}
	groups := c.Attrs.Int("group", 1)
	if groups < 1 {
		return nil, fmt.Errorf("group is %d, want at least 1", groups)
	}
	return c.result(op.ConvTranspose(c.node(0), c.node(1), c.node(2), op.ConvSpec{
		Kernel: w.kernel, Strides: w.strides, Dilations: w.dilations, Pads: w.pads, Groups: groups,
	}, more))
}

// spreading is the window of a transposed convolution, and how much longer than
// it gives the result is to be.
func (c *call) spreading(kernel []int) (w window, more []int, err error) {
	n := len(kernel)
	if w, err = c.window(kernel); err != nil {
		return w, nil, err
	}
	if more, err = c.perAxis("output_padding", n, 0, 0); err != nil {
		return w, nil, err
	}
	auto := c.Attrs.String("auto_pad", "NOTSET")
	same := auto == "SAME_UPPER" || auto == "SAME_LOWER"
	if !c.Attrs.Has("output_shape") && !same {
		return w, more, nil
	}
	want := make([]int, n)
	for k := range want {
		want[k] = c.shape(0)[2+k] * w.strides[k]
	}
	if want = c.Attrs.Ints("output_shape", want); len(want) == n+2 {
		want = want[2:] // some exporters write the batch and the channels too
	}
	if len(want) != n {
		return w, nil, fmt.Errorf("output_shape %v for %d axes", want, n)
	}
	w.pads = make([]int, 2*n)
	for k := range want {
		total := w.strides[k]*(c.shape(0)[2+k]-1) + more[k] + (kernel[k]-1)*w.dilations[k] + 1 - want[k]
		if total < 0 {
			more[k] -= total
			total = 0
		}
		w.pads[k], w.pads[n+k] = total-total/2, total/2
		if auto == "SAME_UPPER" {
			w.pads[k], w.pads[n+k] = total/2, total-total/2
		}
	}
	return w, more, nil
}
