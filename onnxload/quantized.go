package onnxload

import (
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
	"finetune/optim"
)

// Quantization is how a parameter lies in the file: as integers, its codes. The
// weight of code c is (c − zero point)·scale, the numbers of the DequantizeLinear
// that reads it, one for all or one for each place along an axis.
type Quantization struct {
	scale     []float32
	zero      []float32
	inner     int // elements between two places
	low, high float64
}

// Quantization is that of a parameter which is stored as integers, nil of others.
func (m *Model) Quantization(p *optim.Param) *Quantization { return m.quantized[p] }

func (q *Quantization) place(i int) int { return i / q.inner % len(q.scale) }

// Zero is the code of weight 0 of element i.
func (q *Quantization) Zero(i int) float32 { return q.zero[q.place(i)] }

// Codes is the codes of weights, as whole numbers: halves are rounded to even, and
// what is beyond the range of the type becomes its end.
func (q *Quantization) Codes(weights []float32) []float32 {
	codes := make([]float32, len(weights))
	for i, w := range weights {
		k := q.place(i)
		c := math.RoundToEven(float64(w/q.scale[k])) + float64(q.zero[k])
		codes[i] = float32(min(max(c, q.low), q.high))
	}
	return codes
}

// Weights is the weights of codes.
func (q *Quantization) Weights(codes []float32) []float32 {
	weights := make([]float32, len(codes))
	for i, c := range codes {
		k := q.place(i)
		weights[i] = (c - q.zero[k]) * q.scale[k]
	}
	return weights
}

// quantization is how a tensor of integers holds weights: if all that read it are
// DequantizeLinear nodes of one constant scale and zero point. It is nil otherwise.
func (u *uses) quantization(t *Tensor) *Quantization {
	if t.I == nil || t.DType == Bool || t.DType == Uint32 || t.DType == Int64 || t.DType == Uint64 {
		return nil
	}
	bits, signed := t.DType.width()
	if bits < 8 {
		return nil // several in a byte
	}
	var q *Quantization
	for _, r := range u.readers[t.Name] {
		if r.node.Op != "DequantizeLinear" || r.node.Domain != "" || r.slot != 0 || u.model.outputs(t.Name) {
			return nil
		}
		another := u.dequantizes(r.node, t)
		if another == nil || q != nil && !(slices.Equal(q.scale, another.scale) && slices.Equal(q.zero, another.zero) && q.inner == another.inner) {
			return nil
		}
		q = another
	}
	if q == nil {
		return nil
	}
	q.low, q.high = 0, math.Ldexp(1, bits)-1
	if signed {
		q.low, q.high = -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)-1
	}
	return q
}

// dequantizes is the scale and the zero point that a DequantizeLinear has for a
// tensor, nil if they are not constant, or those of blocks.
func (u *uses) dequantizes(n *Node, t *Tensor) *Quantization {
	constant := func(slot int) *Tensor {
		if slot >= len(n.Inputs) {
			return nil
		}
		name := n.Inputs[slot]
		for u.producer[name] != nil && u.producer[name].Op == "Identity" {
			name = u.producer[name].Inputs[0]
		}
		return u.model.Tensors[name]
	}
	scale := constant(1)
	if scale == nil || len(scale.F) == 0 || len(scale.Shape) > 1 || n.Attrs.Int("block_size", 0) != 0 {
		return nil
	}
	for _, v := range scale.F {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return nil
		}
	}
	q := &Quantization{scale: scale.F, zero: make([]float32, len(scale.F)), inner: max(len(t.I), 1)}
	if len(n.Inputs) > 2 && n.Inputs[2] != "" {
		zero := constant(2)
		if zero == nil || len(zero.I) != len(scale.F) {
			return nil
		}
		for i, v := range zero.I {
			q.zero[i] = float32(v)
		}
	}
	if len(scale.F) > 1 {
		at, err := axis(n.Attrs.Int("axis", 1), len(t.Shape))
		if err != nil || t.Shape[at] != len(scale.F) {
			return nil
		}
		q.inner = max(product(t.Shape[at+1:]), 1)
	}
	return q
}

// outputs reports whether a value is an output of the model.
func (m *Model) outputs(name string) bool {
	return slices.ContainsFunc(m.Outputs, func(v Value) bool { return v.Name == name })
}

// integerCodes is the codes of a trained parameter that input 0 is, before the zero
// point is taken off, as float32: the gradient passes where nothing is held to the
// range, as if there were no rounding. nil for any other input.
func (c *call) integerCodes() (*G.Node, error) {
	q := c.l.model.quantized[c.in[0].param]
	if q == nil {
		return nil, nil
	}
	if c.in[0].smooth != nil {
		return c.in[0].smooth, nil
	}
	scale, err := c.perPlace(1)
	if err != nil {
		return nil, err
	}
	var f formula
	x := f.mapped(op.Straight(math.RoundToEven), f.div(c.l.leaf(c.in[0]), scale))
	if c.has(2) {
		zero, err := c.perPlace(2)
		if err != nil {
			return nil, err
		}
		x = f.add(x, zero)
	}
	if f.err == nil {
		x = f.then(op.Clip(x, float32(q.low), float32(q.high)))
	}
	c.in[0].smooth = x
	return x, f.err
}

func toFloats(list []int64) []float32 {
	out := make([]float32, len(list))
	for i, v := range list {
		out[i] = float32(v)
	}
	return out
}
