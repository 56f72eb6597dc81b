package onnxload

import (
	"errors"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// reduction lowers an operator that makes one element of all that differ only in
// their place along the given axes, by default all axes; they stay with length 1
// unless keepdims is 0. The axes are an attribute before opset inputSince and an
// input since; noop_with_empty_axes makes an empty list mean none.
//
//	ReduceSum        Σ x
//	ReduceMean       Σ x / n, of floats
//	ReduceMax        max x
//	ReduceMin        min x
//	ReduceProd       Π x
//	ReduceL1         Σ |x|
//	ReduceL2         √(Σ x²)
//	ReduceSumSquare  Σ x²
//	ReduceLogSum     log Σ x
//	ReduceLogSumExp  log Σ e^x
//
// https://onnx.ai/onnx/operators/onnx__ReduceSum.html and so on, opsets 1 to 20.
// Rejected: axes that are not constant.
func reduction(f func(*G.Node, []int, bool) (*G.Node, error), inputSince int64) func(c *call) ([]*value, error) {
	return func(c *call) ([]*value, error) {
		list, err := c.reducedAxes(inputSince)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 && c.rank(0) > 0 {
			return c.same(0), nil
		}
		return c.result(f(c.node(0), list, c.Attrs.Int("keepdims", 1) != 0))
	}
}

// reducedAxes is the axes that a reduction names; none where it is to do nothing.
func (c *call) reducedAxes(inputSince int64) ([]int, error) {
	var list []int
	var err error
	if c.Opset < inputSince {
		list = c.Attrs.Ints("axes", nil)
	} else if c.has(1) {
		if list, err = c.ints(1, "the list of axes"); err != nil {
			return nil, err
		}
	}
	if list, err = axes(list, c.rank(0)); err != nil {
		return nil, err
	}
	if len(list) == 0 && c.Attrs.Int("noop_with_empty_axes", 0) == 0 {
		for k := range c.rank(0) {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	return list, nil
}

// ArgMax: the index of the largest element along an axis (by default 0), the
// first of equals or, with select_last_index, the last. The axis stays with
// length 1 unless keepdims is 0. There is no gradient.
// https://onnx.ai/onnx/operators/onnx__ArgMax.html, opsets 1 to 13.
func lowerArgMax(c *call) ([]*value, error) { return c.argExtreme(op.ArgMax) }

// ArgMin: the index of the smallest element along an axis; see ArgMax.
// https://onnx.ai/onnx/operators/onnx__ArgMin.html, opsets 1 to 13.
func lowerArgMin(c *call) ([]*value, error) { return c.argExtreme(op.ArgMin) }

func (c *call) argExtreme(f func(x *G.Node, axis int, keepDims, last bool) (*G.Node, error)) ([]*value, error) {
	n, err := f(c.node(0), c.Attrs.Int("axis", 0), c.Attrs.Int("keepdims", 1) != 0, c.Attrs.Int("select_last_index", 0) != 0)
	return c.resultAs(Int64, n, err)
}

// CumSum: running sums along the axis that input 1 holds; with attribute
// exclusive without the element itself, with reverse from the end.
// https://onnx.ai/onnx/operators/onnx__CumSum.html, opsets 11 to 14. Rejected: an
// axis that is not constant.
func lowerCumSum(c *call) ([]*value, error) { return c.cumulate(op.CumSum) }

// CumProd: running products; see CumSum.
// https://onnx.ai/onnx/operators/onnx__CumProd.html, opset 26. Rejected: an axis
// that is not constant.
func lowerCumProd(c *call) ([]*value, error) { return c.cumulate(op.CumProd) }

func (c *call) cumulate(f func(x *G.Node, axis int, exclusive, reverse bool) (*G.Node, error)) ([]*value, error) {
	at, err := c.int(1, "the axis")
	if err != nil {
		return nil, err
	}
	n, err := f(c.node(0), at, c.Attrs.Int("exclusive", 0) != 0, c.Attrs.Int("reverse", 0) != 0)
	return c.wrapped(c.in[0].dtype, n, err)
}

// TopK: the K largest elements along an axis (by default the last), the largest
// first, and their indices; the smallest if attribute largest is 0. K is an
// attribute before opset 10 and an input since. They come sorted also where the
// order is left open. The gradient goes to the elements that were chosen.
// https://onnx.ai/onnx/operators/onnx__TopK.html, opsets 1 to 24. Rejected: a K
// that is not constant.
func lowerTopK(c *call) ([]*value, error) {
	k, err := c.Attrs.Int("k", 0), error(nil)
	if c.Opset >= 10 {
		if !c.has(1) {
			return nil, errors.New("input 1, the number K, is missing")
		}
		if k, err = c.int(1, "the number K"); err != nil {
			return nil, err
		}
	}
	values, indices, err := op.TopK(c.node(0), k, c.Attrs.Int("axis", -1), c.Attrs.Int("largest", 1) == 0)
	if err != nil {
		return nil, err
	}
	return []*value{c.value(c.in[0].dtype, values), c.value(Int64, indices)}, nil
}

// Hardmax: 1 at the first of the largest elements along an axis, 0 elsewhere;
// the axis counts as for Softmax. There is no gradient.
// https://onnx.ai/onnx/operators/onnx__Hardmax.html, opsets 1 to 13.
func lowerHardmax(c *call) ([]*value, error) {
	out, err := c.softmax("hardmax", func(x *G.Node, axis int) (*G.Node, error) {
		best, err := op.ArgMax(x, axis, true, false)
		if err != nil {
			return nil, err
		}
		return c.oneHot(best, axis, x.Shape()[axis])
	})
	if err == nil {
		out[0].head = nil // there is nothing to train through
	}
	return out, err
}

// oneHot is 1 where a place along an axis is the index, which has length 1
// there, and 0 elsewhere: float32 of length n along the axis.
func (c *call) oneHot(index *G.Node, axis, n int) (*G.Node, error) {
	hit, err := op.Equal(index, c.counts(n, index.Dims(), axis))
	if err != nil {
		return nil, err
	}
	return op.ToFloat(hit)
}

// counts is the constant 0, 1, … n − 1 along one of rank axes.
func (c *call) counts(n, rank, axis int) *G.Node {
	shape := make([]int, rank)
	for k := range shape {
		shape[k] = 1
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(i)
	}
	shape[axis] = n
	return c.constantInts(shape, list)
}
