package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// mapInts is f of each element of x, which is int64.
func mapInts(name string, x *G.Node, f func(int64) int64) (*G.Node, error) {
	return apply(Op{
		Name: name, Shape: x.Shape(), Dtype: tensor.Int64, InPlace: First,
		Run: func(c *Call) error {
			for i, v := range c.In[0].I {
				c.Out.I[i] = f(v)
			}
			return nil
		},
	}, x)
}

// Not is 1 where x, which is int64, is 0, otherwise 0.
func Not(x *G.Node) (*G.Node, error) {
	if err := needInts("Not", x); err != nil {
		return nil, err
	}
	return mapInts("Not", x, func(v int64) int64 {
		if v == 0 {
			return 1
		}
		return 0
	})
}

// Complement inverts the bits of x, which is int64.
func Complement(x *G.Node) (*G.Node, error) {
	if err := needInts("Complement", x); err != nil {
		return nil, err
	}
	return mapInts("Complement", x, func(v int64) int64 { return ^v })
}

// needInts reports an error unless every node is int64.
func needInts(name string, nodes ...*G.Node) error {
	for i, n := range nodes {
		if n.Dtype() != tensor.Int64 {
			return fmt.Errorf("%s: input %d is %v, want int64", name, i, n.Dtype())
		}
	}
	return nil
}

// Wrap keeps the lowest bits of x, which is int64, and takes them as a signed or
// unsigned number: what arithmetic in a narrower type leaves.
func Wrap(x *G.Node, bits int, signed bool) (*G.Node, error) {
	if err := needInts("Wrap", x); err != nil {
		return nil, err
	}
	shift := 64 - bits
	if signed {
		return mapInts("Wrap", x, func(v int64) int64 { return v << shift >> shift })
	}
	return mapInts("Wrap", x, func(v int64) int64 { return int64(uint64(v) << shift >> shift) })
}
