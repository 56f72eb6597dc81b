package op

import (
	"fmt"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Softmax is exp(x)/Σexp(x) along one axis. A negative axis counts from the end.
func Softmax(x *G.Node, axis int) (*G.Node, error) { return softmax("Softmax", x, axis, false) }

// LogSoftmax is the logarithm of Softmax, without its loss of small values.
func LogSoftmax(x *G.Node, axis int) (*G.Node, error) { return softmax("LogSoftmax", x, axis, true) }

func softmax(name string, x *G.Node, axis int, log bool) (*G.Node, error) {
	if err := needFloat(name, x); err != nil {
		return nil, err
	}
	axis, err := wrapAxis(axis, x.Dims())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	outer, n, inner := around(x.Shape(), axis)
	return apply(Op{
		Name: name, Shape: x.Shape(), Dtype: tensor.Float32, InPlace: First, Diff: []bool{true},
		Run: func(c *Call) error {
			kernel.Softmax(c.Out.F, c.In[0].F, outer, n, inner, log)
			return nil
		},
		Grad: func(_ G.Nodes, y, g *G.Node) (G.Nodes, error) {
			dx, err := backward(name+"Grad", y, g, func(out, y, g []float32) {
				kernel.SoftmaxGrad(out, y, g, outer, n, inner, log)
			})
			return G.Nodes{dx}, err
		},
	}, x)
}

// around is the size of an axis with the products of the sizes before and after.
func around(shape tensor.Shape, axis int) (outer, n, inner int) {
	return shape[:axis].TotalSize(), shape[axis], shape[axis+1:].TotalSize()
}
