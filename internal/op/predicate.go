package op

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// IsNaN is int64 1 where x is NaN, otherwise 0.
func IsNaN(x *G.Node) (*G.Node, error) {
	return test("IsNaN", x, func(v float32) bool { return v != v })
}

// IsInf is int64 1 where x is infinite and of a sign that counts, otherwise 0.
func IsInf(x *G.Node, negative, positive bool) (*G.Node, error) {
	return test("IsInf", x, func(v float32) bool {
		return negative && v < -math.MaxFloat32 || positive && v > math.MaxFloat32
	})
}

// test asks something of each element of x. The answer has no gradient.
func test(name string, x *G.Node, f func(float32) bool) (*G.Node, error) {
	if err := needFloat(name, x); err != nil {
		return nil, err
	}
	return apply(Op{
		Name: name, Shape: x.Shape(), Dtype: tensor.Int64,
		Run: func(c *Call) error {
			for i, v := range c.In[0].F {
				c.Out.I[i] = 0
				if f(v) {
					c.Out.I[i] = 1
				}
			}
			return nil
		},
	}, x)
}
