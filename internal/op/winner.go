package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// MaxPoolIndices says where the elements that MaxPool takes lie in x: int64
// indices into all of its elements, without a gradient. By columns, the elements
// of a channel are counted along the first spatial axis first.
func MaxPoolIndices(x *G.Node, s PoolSpec, byColumns bool) (*G.Node, error) {
	p, shape, err := s.pool("MaxPoolIndices", x)
	if err != nil {
		return nil, err
	}
	return apply(Op{
		Name: "MaxPoolIndices", Shape: shape, Dtype: tensor.Int64,
		Run: func(c *Call) error {
			p.Winners(c.In[0].F, c.Out.I, byColumns)
			return nil
		},
	}, x)
}
