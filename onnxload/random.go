package onnxload

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Random numbers are drawn anew in each step. Attribute seed fixes them, else
// Config.Seed and the place of the node in the file do. They are not those of
// other runtimes, for ONNX does not say how to draw.

// RandomNormal: a tensor of attribute shape, normal with attributes mean (0) and
// scale (1), the deviation.
// https://onnx.ai/onnx/operators/onnx__RandomNormal.html, opsets 1 to 22.
func lowerRandomNormal(c *call) ([]*value, error) {
	return c.random(op.RandomNormal, c.number("mean", 0), c.number("scale", 1))
}

// RandomUniform: a tensor of attribute shape, evenly between attributes low (0)
// and high (1).
// https://onnx.ai/onnx/operators/onnx__RandomUniform.html, opsets 1 to 22.
func lowerRandomUniform(c *call) ([]*value, error) {
	return c.random(op.RandomUniform, c.number("low", 0), c.number("high", 1))
}

type randomOp = func(like *G.Node, shape []int, p, q float64, seed uint64) (*G.Node, error)

// random lowers RandomNormal, RandomUniform and their forms ending in Like, whose
// shape is that of the input.
func (c *call) random(draw randomOp, p, q float64) ([]*value, error) {
	shape, dt := c.Attrs.Ints("shape", nil), Float32
	if c.has(0) {
		shape = c.shape(0)
		if c.in[0].dtype.IsFloat() {
			dt = c.in[0].dtype
		}
	}
	if _, err := elements(shape); err != nil {
		return nil, err
	}
	dt, err := c.dtypeAttribute(dt)
	if err != nil {
		return nil, err
	}
	if !dt.IsFloat() {
		return nil, fmt.Errorf("attribute dtype is %s, want a floating-point type", dt)
	}
	n, err := draw(c.zero(Float32), shape, p, q, c.seed())
	return c.resultAs(dt, n, err)
}

// seed is what fixes the random numbers of the node.
func (c *call) seed() uint64 {
	if c.Attrs.Has("seed") {
		return uint64(math.Float32bits(c.Attrs.Float("seed", 0)))
	}
	return mix(c.l.cfg.Seed, uint64(c.Index))
}

// Bernoulli: 1 with the probability that the input says, else 0.
// https://onnx.ai/onnx/operators/onnx__Bernoulli.html, opsets 15 to 22.
func lowerBernoulli(c *call) ([]*value, error) {
	dt, err := c.dtypeAttribute(c.in[0].dtype)
	if err != nil {
		return nil, err
	}
	n, err := op.Bernoulli(c.node(0), c.seed())
	if err == nil && dt.inFloats() {
		n, err = op.ToFloat(n)
	}
	return c.resultAs(dt, n, err)
}

// Multinomial: attribute sample_size (1) classes for each row of the input, the
// logarithms of their probabilities, but for a constant.
// https://onnx.ai/onnx/operators/onnx__Multinomial.html, opsets 7 to 22.
func lowerMultinomial(c *call) ([]*value, error) {
	dt, err := c.dtypeAttribute(Int32)
	if err != nil {
		return nil, err
	}
	n, err := op.Multinomial(c.node(0), c.Attrs.Int("sample_size", 1), c.seed())
	return c.resultAs(dt, n, err)
}
