package onnxload

import (
	"fmt"

	"finetune/internal/op"
)

// function lowers an operator that computes each element of its result from one
// element of its input and has no attributes: Abs, Neg and Sign (integers too);
// Floor, Ceil and Round, halves to the even neighbour; Sqrt, Reciprocal 1/x, Exp
// and Log; Sin, Cos, Tan, Sinh, Cosh, Tanh and their inverses; Softplus
// log(1 + e^x), Softsign x / (1 + |x|), HardSwish x·max(0, min(1, x/6 + 1/2)) and
// Mish x·tanh(log(1 + e^x)).
// https://onnx.ai/onnx/operators/ has a page of each, opsets 1 to 24.
func function(f op.Function) func(c *call) ([]*value, error) {
	return func(c *call) ([]*value, error) {
		n, err := op.Map(f, c.node(0))
		return c.wrapped(c.in[0].dtype, n, err)
	}
}

// Elu: x where x ≥ 0, α·(e^x − 1) elsewhere.
// https://onnx.ai/onnx/operators/onnx__Elu.html, opsets 1 to 22.
func lowerElu(c *call) ([]*value, error) {
	return function(op.Elu(c.number("alpha", 1)))(c)
}

// Selu: γ·x where x > 0, γ·α·(e^x − 1) elsewhere (Klambauer et al.,
// Self-Normalizing Neural Networks, 2017). The defaults before opset 6 are those
// of the article, rounded.
// https://onnx.ai/onnx/operators/onnx__Selu.html, opsets 1 to 22.
func lowerSelu(c *call) ([]*value, error) {
	alpha, gamma := 1.67326319217681884765625, 1.05070102214813232421875
	if c.Opset < 6 {
		alpha, gamma = 1.6732, 1.0507
	}
	return function(op.Selu(c.number("alpha", alpha), c.number("gamma", gamma)))(c)
}

// Celu: max(0, x) + min(0, α·(e^(x/α) − 1)) (Barron, Continuously Differentiable
// Exponential Linear Units, 2017).
// https://onnx.ai/onnx/operators/onnx__Celu.html, opsets 12 to 28.
func lowerCelu(c *call) ([]*value, error) {
	alpha := c.number("alpha", 1)
	if alpha == 0 {
		return nil, fmt.Errorf("attribute alpha is 0")
	}
	return function(op.Celu(alpha))(c)
}

// ThresholdedRelu: x where x > α, 0 elsewhere.
// https://onnx.ai/onnx/operators/onnx__ThresholdedRelu.html, opsets 10 to 22.
func lowerThresholdedRelu(c *call) ([]*value, error) {
	return function(op.ThresholdedRelu(c.number("alpha", 1)))(c)
}

// HardSigmoid: max(0, min(1, α·x + β)).
// https://onnx.ai/onnx/operators/onnx__HardSigmoid.html, opsets 1 to 22.
func lowerHardSigmoid(c *call) ([]*value, error) {
	return function(op.HardSigmoid(c.number("alpha", 0.2), c.number("beta", 0.5)))(c)
}

// Swish: x / (1 + e^(−α·x)).
// https://onnx.ai/onnx/operators/onnx__Swish.html, opset 24.
func lowerSwish(c *call) ([]*value, error) {
	return function(op.Swish(c.number("alpha", 1)))(c)
}

// Shrink: x + bias where x < −λ, x − bias where x > λ, 0 elsewhere.
// https://onnx.ai/onnx/operators/onnx__Shrink.html, opset 9.
func lowerShrink(c *call) ([]*value, error) {
	f := op.Shrink(c.number("lambd", 0.5), c.number("bias", 0))
	if c.in[0].dtype.IsFloat() {
		return function(f)(c)
	}
	x, err := op.ToFloat(c.node(0))
	if err != nil {
		return nil, err
	}
	if x, err = op.Map(f, x); err != nil {
		return nil, err
	}
	x, err = op.ToInt(x)
	return c.wrapped(c.in[0].dtype, x, err)
}

// PRelu: x where x ≥ 0, slope·x elsewhere (He et al., Delving Deep into
// Rectifiers, 2015). The slope broadcasts to x; before opset 7 it was one
// number, or one a channel (axis 1).
// https://onnx.ai/onnx/operators/onnx__PRelu.html, opsets 1 to 16. Rejected:
// integers.
func lowerPRelu(c *call) ([]*value, error) {
	x, slope := c.node(0), c.node(1)
	if !c.in[0].dtype.IsFloat() {
		return nil, unsupported(c.Node, fmt.Sprintf("PRelu of %s is not supported", c.in[0].dtype))
	}
	if c.Opset < 7 && c.rank(1) == 1 && c.rank(0) > 2 {
		shape := make([]int, c.rank(0)-1)
		for i := range shape {
			shape[i] = 1
		}
		shape[0] = c.shape(1)[0]
		var err error
		if slope, err = op.Reshape(slope, shape...); err != nil {
			return nil, err
		}
	}
	return c.result(op.PRelu(x, slope))
}

// number is an attribute of type FLOAT.
func (c *call) number(name string, def float64) float64 {
	if !c.Attrs.Has(name) {
		return def
	}
	return float64(c.Attrs.Float(name, float32(def)))
}
