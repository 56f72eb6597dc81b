package onnxload

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// MaxPool: the largest element under each window; padding never wins. The second
// output is where in the input it lies, counted by columns with storage_order 1.
// https://onnx.ai/onnx/operators/onnx__MaxPool.html, opsets 1 to 22.
func lowerMaxPool(c *call) ([]*value, error) {
	s, err := c.pool()
	if err != nil {
		return nil, err
	}
	x, err := op.ToFloat(c.node(0))
	if err != nil {
		return nil, err
	}
	y, err := op.MaxPool(x, s)
	if err == nil && c.in[0].dtype.IsInt() {
		y, err = op.ToInt(y) // eight bits, which floats hold exactly
	}
	if err != nil {
		return nil, err
	}
	out := []*value{c.value(c.in[0].dtype, y)}
	if !c.wants(1) {
		return out, nil
	}
	indices, err := op.MaxPoolIndices(x, s, c.Attrs.Int("storage_order", 0) != 0)
	if err != nil {
		return nil, err
	}
	return append(out, c.value(Int64, indices)), nil
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

// LpPool: (Σ |x|^p)^(1/p) over the elements under each window, p by default 2.
// https://onnx.ai/onnx/operators/onnx__LpPool.html, opsets 2 to 22.
func lowerLpPool(c *call) ([]*value, error) {
	s, err := c.pool()
	if err != nil {
		return nil, err
	}
	s.CountIncludePad = true
	return c.lp(func(x *G.Node) (*G.Node, error) {
		if s.CeilMode {
			var err error
			if x, err = c.completed(x, s); err != nil {
				return nil, err
			}
			s.CeilMode = false
		}
		mean, err := op.AveragePool(x, s)
		if err != nil {
			return nil, err
		}
		return op.Mul(mean, c.constant(nil, float32(product(s.Kernel))))
	})
}

// completed is x with zeros behind it, so that the last windows of ceil_mode, which
// reach beyond the end, are whole.
func (c *call) completed(x *G.Node, s op.PoolSpec) (*G.Node, error) {
	probe, err := op.AveragePool(x, s)
	if err != nil {
		return nil, err
	}
	d := len(s.Kernel)
	ends := make([]int, x.Dims())
	for k := range d {
		reach := (probe.Shape()[2+k]-1)*s.Strides[k] + (s.Kernel[k]-1)*s.Dilations[k] + 1
		ends[2+k] = max(0, reach-x.Shape()[2+k]-s.Pads[k]-s.Pads[d+k])
	}
	return op.Pad(x, make([]int, x.Dims()), ends, nil)
}

// lp is the p-norm of input 0 by a sum over some elements.
func (c *call) lp(sum func(x *G.Node) (*G.Node, error)) ([]*value, error) {
	p := c.Attrs.Int("p", 2)
	if p < 1 {
		return nil, fmt.Errorf("p is %d", p)
	}
	x, err := c.node(0), error(nil)
	if p != 2 {
		if x, err = op.Map(op.Abs, x); err != nil {
			return nil, err
		}
	}
	if x, err = c.power(x, float64(p)); err == nil {
		x, err = sum(x)
	}
	if err != nil {
		return nil, err
	}
	if p == 2 {
		return c.result(op.Map(op.Length, x))
	}
	return c.result(c.power(x, 1/float64(p)))
}

// power is x to a constant exponent.
func (c *call) power(x *G.Node, exponent float64) (*G.Node, error) {
	switch exponent {
	case 1:
		return x, nil
	case 2:
		return op.Mul(x, x)
	}
	return op.Pow(x, c.constant(nil, float32(exponent)))
}

// GlobalAveragePool: the mean over all spatial axes, which stay with length 1.
// https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html, opsets 1 to 22.
func lowerGlobalAveragePool(c *call) ([]*value, error) {
	return c.result(op.GlobalAveragePool(c.node(0)))
}

// GlobalMaxPool: the largest element over all spatial axes, which stay with
// length 1.
// https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html, opsets 1 to 22.
func lowerGlobalMaxPool(c *call) ([]*value, error) {
	list, err := c.spatialAxes()
	if err != nil {
		return nil, err
	}
	return c.result(op.ReduceMax(c.node(0), list, true))
}

// GlobalLpPool: (Σ |x|^p)^(1/p) over all spatial axes, which stay with length 1.
// https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html, opsets 2 to 22.
func lowerGlobalLpPool(c *call) ([]*value, error) {
	list, err := c.spatialAxes()
	if err != nil {
		return nil, err
	}
	return c.lp(func(x *G.Node) (*G.Node, error) { return op.ReduceSum(x, list, true) })
}

// spatialAxes are those behind the channels.
func (c *call) spatialAxes() ([]int, error) {
	if c.rank(0) < 3 {
		return nil, fmt.Errorf("input has shape %v, want (N, C, D1, …)", c.shape(0))
	}
	var list []int
	for k := 2; k < c.rank(0); k++ {
		list = append(list, k)
	}
	return list, nil
}

// MaxUnpool: zeros, and the input's elements where the indices that MaxPool gave
// say. The shape is input 2, or follows from the window.
// https://onnx.ai/onnx/operators/onnx__MaxUnpool.html, opsets 9 to 22. Rejected: a
// shape that is not constant.
func lowerMaxUnpool(c *call) ([]*value, error) {
	s, err := c.pool()
	if err != nil {
		return nil, err
	}
	// The indices count in the shape that the window gives.
	natural := slices.Clone(c.shape(0))
	n := len(natural) - 2
	for k := range n {
		natural[2+k] = (natural[2+k]-1)*s.Strides[k] + s.Kernel[k] - s.Pads[k] - s.Pads[n+k]
	}
	shape := natural
	if c.has(2) {
		if shape, err = c.ints(2, "the shape"); err != nil {
			return nil, err
		}
	}
	if _, err := elements(shape); err != nil {
		return nil, err
	}
	size, err := elements(natural)
	if err != nil {
		return nil, err
	}
	if size > maxEvaluated {
		return nil, fmt.Errorf("shape %v has more than %d elements", natural, maxEvaluated)
	}
	x, err := op.Reshape(c.node(0), c.in[0].size())
	if err != nil {
		return nil, err
	}
	index, err := op.Reshape(c.node(1), c.in[1].size())
	if err != nil {
		return nil, err
	}
	y, err := op.ScatterElements(c.constant([]int{size}, make([]float32, size)...), index, x, 0, op.UpdateSet)
	if err == nil {
		y, err = op.Reshape(y, natural...)
	}
	if err != nil {
		return nil, err
	}
	return c.result(c.fitted(y, shape))
}

// fitted is x with zeros behind each axis, or without its last elements, in a
// shape.
func (c *call) fitted(x *G.Node, shape []int) (*G.Node, error) {
	if len(shape) != x.Dims() {
		return nil, fmt.Errorf("shape %v for %d axes", shape, x.Dims())
	}
	kept, more := slices.Clone(shape), make([]int, len(shape))
	for k, d := range x.Shape() {
		kept[k] = min(shape[k], d)
		more[k] = shape[k] - kept[k]
	}
	x, err := op.Slice(x, make([]int, len(shape)), kept, nil)
	if err != nil {
		return nil, err
	}
	return op.Pad(x, make([]int, len(shape)), more, nil)
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
