package op

import (
	"math"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Relu is max(x, 0). Its gradient at 0 is 0.
func Relu(x *G.Node) (*G.Node, error) {
	return limits("Relu", x, 0, float32(math.Inf(1)), kernel.Relu, &ending{part: gated, on: Second}, kernel.ReluGrad)
}

// LeakyRelu is x where x >= 0, otherwise alpha·x. Its gradient at 0 is alpha.
func LeakyRelu(x *G.Node, alpha float32) (*G.Node, error) {
	from := ofResult // it has the sign of x
	if !(alpha >= 0) {
		from = ofInput
	}
	return pointwise("LeakyRelu", x, from,
		func(out, x []float32) { kernel.LeakyRelu(out, x, alpha) },
		func(out, x, g []float32) { kernel.LeakyReluGrad(out, x, g, alpha) })
}

// Sigmoid is 1/(1+exp(-x)).
func Sigmoid(x *G.Node) (*G.Node, error) {
	return pointwise("Sigmoid", x, ofResult, kernel.Sigmoid, kernel.SigmoidGrad)
}

// Tanh is the hyperbolic tangent.
func Tanh(x *G.Node) (*G.Node, error) {
	return pointwise("Tanh", x, ofResult, kernel.Tanh, kernel.TanhGrad)
}

// Clip is min(max(x, low), high); infinite limits leave a side open. The
// gradient passes where low < x < high.
func Clip(x *G.Node, low, high float32) (*G.Node, error) {
	return limits("Clip", x, low, high,
		func(out, x []float32) { kernel.Clip(out, x, low, high) }, nil,
		func(out, y, g []float32) { kernel.ClipGrad(out, y, g, low, high) })
}

// limits is a function that keeps x between two numbers, from which its gradient
// is that of the result where the result is neither. along is the gradient as
// part of the operation before it, if it can be.
func limits(name string, x *G.Node, low, high float32, run func(out, x []float32), along *ending, grad func(out, y, g []float32)) (*G.Node, error) {
	if err := needFloat(name, x); err != nil {
		return nil, err
	}
	return apply(Op{
		Name: name, Shape: x.Shape(), Dtype: tensor.Float32, InPlace: First, Diff: []bool{true},
		ending: &ending{part: clamp, on: First, low: low, high: high},
		Run: func(c *Call) error {
			run(c.Out.F, c.In[0].F)
			return nil
		},
		Grad: func(in G.Nodes, y, g *G.Node) (G.Nodes, error) {
			dx, err := backward(name+"Grad", y, g, grad)
			if err == nil {
				o := dx.Op().(*Op)
				o.ending, o.gate = along, &gate{of: in[0], grad: g, low: low, high: high}
			}
			return G.Nodes{dx}, err
		},
	}, x)
}

// gate is what the gradient of limits is made of: it is grad where of lies
// between low and high.
type gate struct {
	of, grad  *G.Node
	low, high float32
}

// gateOf is the gate that g is the gradient behind, if that is a gate of x.
func gateOf(g, x *G.Node) *gate {
	if o, ok := g.Op().(*Op); ok && o.gate != nil && o.gate.of == x {
		return o.gate
	}
	return nil
}

// What the gradient of a pointwise function is computed from. A function that
// needs only its result can overwrite its input.
const (
	ofResult = false
	ofInput  = true
)

// pointwise is a function of each element. grad computes the gradient of x from
// x or from the result, as fromInput says, and the gradient of the result.
func pointwise(name string, x *G.Node, fromInput bool, run func(out, x []float32), grad func(out, from, g []float32)) (*G.Node, error) {
	if err := needFloat(name, x); err != nil {
		return nil, err
	}
	return apply(Op{
		Name: name, Shape: x.Shape(), Dtype: tensor.Float32, InPlace: First, Diff: []bool{true},
		Run: func(c *Call) error {
			run(c.Out.F, c.In[0].F)
			return nil
		},
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			from := out
			if fromInput {
				from = in[0]
			}
			dx, err := backward(name+"Grad", from, g, grad)
			return G.Nodes{dx}, err
		},
	}, x)
}

// backward is the gradient of an operation as a node of its own, computed from
// a tensor of its shape and the gradient of its result. It has no gradient.
func backward(name string, from, g *G.Node, run func(out, from, g []float32)) (*G.Node, error) {
	return apply(Op{
		Name: name, Shape: from.Shape(), Dtype: tensor.Float32, InPlace: Second,
		Run: func(c *Call) error {
			run(c.Out.F, c.In[0].F, c.In[1].F)
			return nil
		},
	}, from, g)
}
