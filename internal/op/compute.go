package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Compute is what run makes of the inputs, elements of the given type and shape.
// It is for what has no gradient and no kernel of its own: tables, trees, counts.
// run has to write every element of the result.
func Compute(name string, shape []int, dt tensor.Dtype, run func(c *Call) error, in ...*G.Node) (*G.Node, error) {
	if err := checkShape(name, shape); err != nil {
		return nil, err
	}
	return apply(Op{Name: name, Shape: shape, Dtype: dt, Run: run}, in...)
}
