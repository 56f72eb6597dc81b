package op

import (
	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ToFloat turns int64 into float32. A float32 node is returned as it is.
func ToFloat(x *G.Node) (*G.Node, error) {
	if x.Dtype() == tensor.Float32 {
		return x, nil
	}
	return cast("ToFloat", x, tensor.Float32, func(c *Call) { kernel.ToFloat(c.Out.F, c.In[0].I) })
}

// ToInt turns float32 into int64, toward zero. What is out of range becomes the
// nearest int64, NaN becomes 0. An int64 node is returned as it is.
func ToInt(x *G.Node) (*G.Node, error) {
	if x.Dtype() == tensor.Int64 {
		return x, nil
	}
	return cast("ToInt", x, tensor.Int64, func(c *Call) { kernel.ToInt(c.Out.I, c.In[0].F) })
}

// ToBool is int64 1 where x is not 0, otherwise 0. NaN is not 0.
func ToBool(x *G.Node) (*G.Node, error) {
	return cast("ToBool", x, tensor.Int64, func(c *Call) {
		if x.Dtype() == tensor.Int64 {
			kernel.NonZero(c.Out.I, c.In[0].I)
		} else {
			kernel.NonZero(c.Out.I, c.In[0].F)
		}
	})
}

// cast makes another element type. No gradient flows through it.
func cast(name string, x *G.Node, to tensor.Dtype, run func(c *Call)) (*G.Node, error) {
	return apply(Op{
		Name: name, Shape: x.Shape(), Dtype: to,
		Run: func(c *Call) error {
			run(c)
			return nil
		},
	}, x)
}
