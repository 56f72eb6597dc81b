package onnxload

import (
	"fmt"

	"finetune/internal/op"
)

// Dropout: while training, each element is zero with probability ratio and
// divided by 1 − ratio otherwise (Srivastava et al., Dropout, 2014); the input
// itself when not. Config.Training decides, because exporters switch dropout
// off in the file. The ratio is an attribute before opset 12 and an input since,
// by default 0.5.
// https://onnx.ai/onnx/operators/onnx__Dropout.html, opsets 1 to 22. Rejected:
// use of the mask while training.
func lowerDropout(c *call) ([]*value, error) {
	ratio := c.Attrs.Float("ratio", 0.5)
	if c.has(1) {
		var err error
		if ratio, err = c.float(1, "the ratio"); err != nil {
			return nil, err
		}
	}
	if !(ratio >= 0 && ratio < 1) {
		return nil, fmt.Errorf("ratio %g is outside [0, 1)", ratio)
	}
	if !c.l.cfg.Training || ratio == 0 {
		return append(c.same(0), c.keepAll()), nil
	}
	if c.wants(1) {
		return nil, unsupported(c.Node, "its second output, the mask, is used, which is not supported while training")
	}
	y, err := op.Dropout(c.node(0), ratio, mix(c.l.cfg.Seed, uint64(c.Index)))
	if err != nil {
		return nil, err
	}
	return c.result(y, nil)
}

// keepAll is the mask that drops nothing: true everywhere, and before opset 10
// a one of the input's type.
func (c *call) keepAll() *value {
	if !c.wants(1) {
		return nil
	}
	v := &value{dtype: Bool, shape: c.shape(0), known: true}
	if c.Opset < 10 {
		v.dtype = c.in[0].dtype
	}
	st, _ := v.dtype.storage()
	v.data = op.NewBuffer(st, c.in[0].size())
	for i := range v.data.F {
		v.data.F[i] = 1
	}
	for i := range v.data.I {
		v.data.I[i] = 1
	}
	return v
}

// mix spreads a seed and a counter over 64 bits: the finaliser of SplitMix64
// (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
