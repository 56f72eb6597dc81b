package onnxload

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// QuantizeLinear: round(x/scale) + zero point, halves to even, held to the range
// of the type, which is that of the zero point or output_dtype. Scale and zero
// point are one number, one for each place along an axis, or one for each
// block_size places. The gradient of what DequantizeLinear makes of it passes
// where nothing was held to the range, as if there were no rounding.
// https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html, opsets 10 to 25.
func lowerQuantizeLinear(c *call) ([]*value, error) {
	to := Uint8
	if c.has(2) {
		to = c.in[2].dtype
	} else if n := c.Attrs.Int("output_dtype", 0); n != 0 {
		var ok bool
		if to, ok = DTypeOf(n); !ok {
			return nil, fmt.Errorf("output_dtype: no element type has number %d", n)
		}
	}
	x, err := op.ToFloat(c.node(0))
	if err != nil {
		return nil, err
	}
	scale, err := c.perPlace(1)
	if err != nil {
		return nil, err
	}
	if x, err = op.Div(x, scale); err != nil {
		return nil, err
	}
	if m := minifloats[to]; m != nil {
		saturate := c.Attrs.Int("saturate", 1) != 0
		n, err := op.Map(op.Straight(func(x float64) float64 { return m.round(x, saturate) }), x)
		return c.resultAs(to, n, err)
	}
	bits, signed := to.width()
	if bits == 0 || bits > 16 {
		return nil, unsupported(c.Node, fmt.Sprintf("to %s is not supported", to))
	}
	low, high := 0.0, math.Ldexp(1, bits)-1
	if signed {
		low, high = -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)-1
	}
	if x, err = op.Map(op.Straight(math.RoundToEven), x); err != nil {
		return nil, err
	}
	if c.has(2) {
		zero, err := c.perPlace(2)
		if err != nil {
			return nil, err
		}
		if x, err = op.Add(x, zero); err != nil {
			return nil, err
		}
	}
	if x, err = op.Map(op.Saturate(low, high), x); err != nil {
		return nil, err
	}
	n, err := op.ToInt(x)
	if err != nil {
		return nil, err
	}
	v := c.value(to, n)
	if !c.fold {
		v.smooth = x
	}
	return []*value{v}, nil
}

// DequantizeLinear: (x − zero point)·scale, both given as for QuantizeLinear. A
// constant x of integers that holds weights is trained; see Quantization.
// https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html, opsets 10 to 25.
func lowerDequantizeLinear(c *call) ([]*value, error) {
	to := c.in[1].dtype
	if n := c.Attrs.Int("output_dtype", 0); n != 0 {
		var ok bool
		if to, ok = DTypeOf(n); !ok || !to.IsFloat() {
			return nil, fmt.Errorf("output_dtype %d is no floating-point type", n)
		}
	}
	x, err := c.integerCodes()
	if err != nil {
		return nil, err
	}
	if x == nil {
		x = c.in[0].smooth
	}
	if x == nil {
		if x, err = op.ToFloat(c.node(0)); err != nil {
			return nil, err
		}
	}
	if c.has(2) {
		zero, err := c.perPlace(2)
		if err != nil {
			return nil, err
		}
		if x, err = op.Sub(x, zero); err != nil {
			return nil, err
		}
	}
	scale, err := c.perPlace(1)
	if err != nil {
		return nil, err
	}
	n, err := op.Mul(x, scale)
	return c.resultAs(to, n, err)
}

// perPlace is input i, a scale or a zero point, as a float32 that broadcasts to
// input 0.
func (c *call) perPlace(i int) (*G.Node, error) {
	n, err := op.ToFloat(c.node(i))
	if err != nil || c.in[i].size() == 1 && c.rank(i) <= 1 {
		if err == nil {
			n, err = op.Reshape(n)
		}
		return n, err
	}
	at, err := axis(c.Attrs.Int("axis", 1), c.rank(0))
	if err != nil {
		return nil, err
	}
	length := c.shape(0)[at]
	if c.rank(i) == 1 {
		if c.shape(i)[0] != length {
			return nil, fmt.Errorf("input %d has shape %v for %d places of axis %d", i, c.shape(i), length, at)
		}
		shape := []int{length}
		for range c.rank(0) - at - 1 {
			shape = append(shape, 1)
		}
		return op.Reshape(n, shape...)
	}
	block := c.Attrs.Int("block_size", 0)
	want := slices.Clone(c.shape(0))
	if block > 0 {
		want[at] = (length + block - 1) / block
	}
	if !slices.Equal(c.shape(i), want) || block < 1 {
		return nil, fmt.Errorf("input %d has shape %v for blocks of %d of %v", i, c.shape(i), block, c.shape(0))
	}
	index := make([]int64, length)
	for k := range index {
		index[k] = int64(k / block)
	}
	return op.Gather(n, c.constantInts([]int{length}, index), at)
}

// DynamicQuantizeLinear: QuantizeLinear to uint8 by the range of the input, which
// includes 0; the scale and the zero point are outputs as well.
// https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html, opset 11.
func lowerDynamicQuantizeLinear(c *call) ([]*value, error) {
	x, zero := c.node(0), c.zero(Float32)
	low, err := op.ReduceMin(x, nil, false)
	if err == nil {
		low, err = op.Min(low, zero)
	}
	if err != nil {
		return nil, err
	}
	high, err := op.ReduceMax(x, nil, false)
	if err == nil {
		high, err = op.Max(high, zero)
	}
	if err == nil {
		high, err = op.Sub(high, low)
	}
	if err != nil {
		return nil, err
	}
	scale, err := op.Div(high, c.constant(nil, 255))
	if err != nil {
		return nil, err
	}
	point, err := op.Div(low, scale)
	if err == nil {
		point, err = op.Sub(zero, point)
	}
	if err == nil {
		point, err = op.Map(op.Round, point)
	}
	if err == nil {
		point, err = op.Clip(point, 0, 255)
	}
	if err == nil {
		x, err = op.Div(x, scale)
	}
	if err == nil {
		x, err = op.Map(op.Round, x)
	}
	if err == nil {
		x, err = op.Add(x, point)
	}
	if err == nil {
		x, err = op.Clip(x, 0, 255)
	}
	if err == nil {
		x, err = op.ToInt(x)
	}
	if err == nil {
		point, err = op.ToInt(point)
	}
	if err != nil {
		return nil, err
	}
	return []*value{c.value(Uint8, x), c.value(Float32, scale), c.value(Uint8, point)}, nil
}
