package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ArgMax is the index of the largest element along an axis, which stays with
// length 1 if keepDims says so: int64, without a gradient. Of equal elements it
// is the first, or the last.
func ArgMax(x *G.Node, axis int, keepDims, last bool) (*G.Node, error) {
	return argExtreme("ArgMax", x, axis, keepDims, last, false)
}

// ArgMin is the index of the smallest element along an axis; see ArgMax.
func ArgMin(x *G.Node, axis int, keepDims, last bool) (*G.Node, error) {
	return argExtreme("ArgMin", x, axis, keepDims, last, true)
}

func argExtreme(name string, x *G.Node, axis int, keepDims, last, smallest bool) (*G.Node, error) {
	axis, err := wrapAxis(axis, x.Dims())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	outer, n, inner := around(x.Shape(), axis)
	if n == 0 {
		return nil, fmt.Errorf("%s: axis %d of %v has no elements", name, axis, x.Shape())
	}
	shape := slices.Clone(x.Shape())
	if keepDims {
		shape[axis] = 1
	} else {
		shape = slices.Delete(shape, axis, axis+1)
	}
	return apply(Op{
		Name: name, Shape: shape, Dtype: tensor.Int64,
		Run: func(c *Call) error {
			if c.In[0].I != nil {
				kernel.ArgExtreme(c.Out.I, c.In[0].I, outer, n, inner, smallest, last)
			} else {
				kernel.ArgExtreme(c.Out.I, c.In[0].F, outer, n, inner, smallest, last)
			}
			return nil
		},
	}, x)
}

// TopK is the k largest elements along an axis, the largest first, and their
// indices (int64); or the k smallest. Of equal elements the first come first.
func TopK(x *G.Node, k, axis int, smallest bool) (values, indices *G.Node, err error) {
	if axis, err = wrapAxis(axis, x.Dims()); err != nil {
		return nil, nil, fmt.Errorf("TopK: %w", err)
	}
	outer, n, inner := around(x.Shape(), axis)
	if k < 0 || k > n {
		return nil, nil, fmt.Errorf("TopK: %d elements of axis %d of %v", k, axis, x.Shape())
	}
	shape := slices.Clone(x.Shape())
	shape[axis] = k
	indices, err = apply(Op{
		Name: "TopK", Shape: shape, Dtype: tensor.Int64,
		Run: func(c *Call) error {
			if c.Out.Len() == 0 {
				return nil
			}
			if c.In[0].I != nil {
				kernel.TopK(c.Out.I, c.In[0].I, outer, n, inner, k, smallest)
			} else {
				kernel.TopK(c.Out.I, c.In[0].F, outer, n, inner, k, smallest)
			}
			return nil
		},
	}, x)
	if err != nil {
		return nil, nil, err
	}
	values, err = GatherElements(x, indices, axis)
	return values, indices, err
}
