package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Pad puts x between elements of the given value: begins[k] before and ends[k]
// behind it along axis k, none of them negative. value is a scalar of the type
// of x, which gets no gradient; nil is 0.
func Pad(x *G.Node, begins, ends []int, value *G.Node) (*G.Node, error) {
	s := x.Shape()
	if len(begins) != len(s) || len(ends) != len(s) {
		return nil, fmt.Errorf("Pad: %d begins and %d ends for %d axes", len(begins), len(ends), len(s))
	}
	shape, offset := slices.Clone(s), 0
	for k := range shape {
		if begins[k] < 0 || ends[k] < 0 {
			return nil, fmt.Errorf("Pad: negative padding %d, %d on axis %d", begins[k], ends[k], k)
		}
		shape[k] += begins[k] + ends[k]
	}
	if err := checkShape("Pad", shape); err != nil {
		return nil, err
	}
	strides := kernel.Strides(shape)
	for k, b := range begins {
		offset += b * strides[k]
	}
	in := []*G.Node{x}
	if value != nil {
		if value.Dtype() != x.Dtype() || value.Shape().TotalSize() != 1 {
			return nil, fmt.Errorf("Pad: value %v of %v for %v, want one number", value.Shape(), value.Dtype(), x.Dtype())
		}
		in = append(in, value)
	}
	view := kernel.NewView(s, strides, offset)
	diff := make([]bool, len(in))
	diff[0] = x.Dtype() == tensor.Float32
	return apply(Op{
		Name: "Pad", Shape: shape, Dtype: x.Dtype(), Diff: diff,
		Run: func(c *Call) error {
			if c.Out.I != nil {
				fill(c.Out.I, c.In, func(b Buffer) int64 { return b.I[0] })
				kernel.Write(c.Out.I, c.In[0].I, &view)
			} else {
				fill(c.Out.F, c.In, func(b Buffer) float32 { return b.F[0] })
				kernel.Write(c.Out.F, c.In[0].F, &view)
			}
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			stops := make([]int, len(begins))
			for k, b := range begins {
				stops[k] = b + in[0].Shape()[k]
			}
			dx, err := Slice(g, begins, stops, nil)
			return append(G.Nodes{dx}, make(G.Nodes, len(in)-1)...), err
		},
	}, in...)
}

// fill sets every element to the second operand, or to 0 if there is none.
func fill[T kernel.Number](out []T, in []Buffer, first func(Buffer) T) {
	var v T
	if len(in) > 1 {
		v = first(in[1])
	}
	for i := range out {
		out[i] = v
	}
}
