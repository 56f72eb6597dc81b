package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// GatherElements: the elements of the first input at the places of the indices,
// but for the index itself along an axis, by default 0.
// https://onnx.ai/onnx/operators/onnx__GatherElements.html, opsets 11 to 13.
func lowerGatherElements(c *call) ([]*value, error) {
	return c.result(op.GatherElements(c.node(0), c.node(1), c.Attrs.Int("axis", 0)))
}

// GatherND: the slices of the first input that the tuples in the last axis of
// the indices name, behind batch_dims axes in common.
// https://onnx.ai/onnx/operators/onnx__GatherND.html, opsets 11 to 13.
func lowerGatherND(c *call) ([]*value, error) {
	return c.result(op.GatherND(c.node(0), c.node(1), c.Attrs.Int("batch_dims", 0)))
}

// ScatterElements: the first input with the updates in the places that
// GatherElements reads, put there or, with attribute reduction, added,
// multiplied, or the larger or smaller taken.
// https://onnx.ai/onnx/operators/onnx__ScatterElements.html, opsets 11 to 18;
// its name was Scatter from opset 9 to 10.
func lowerScatterElements(c *call) ([]*value, error) {
	kind, err := c.update()
	if err != nil {
		return nil, err
	}
	return c.result(op.ScatterElements(c.node(0), c.node(1), c.node(2), c.Attrs.Int("axis", 0), kind))
}

// ScatterND: the first input with the updates in the places that GatherND reads;
// reduction as for ScatterElements.
// https://onnx.ai/onnx/operators/onnx__ScatterND.html, opsets 11 to 18.
func lowerScatterND(c *call) ([]*value, error) {
	kind, err := c.update()
	if err != nil {
		return nil, err
	}
	return c.result(op.ScatterND(c.node(0), c.node(1), c.node(2), kind))
}

// update is what attribute reduction asks for.
func (c *call) update() (op.Update, error) {
	switch r := c.Attrs.String("reduction", "none"); r {
	case "none":
		return op.UpdateSet, nil
	case "add":
		return op.UpdateAdd, nil
	case "mul":
		return op.UpdateMul, nil
	case "max":
		return op.UpdateMax, nil
	case "min":
		return op.UpdateMin, nil
	default:
		return 0, fmt.Errorf("reduction %q is none of none, add, mul, max, min", r)
	}
}

// ReverseSequence: of each sequence along time_axis (by default 0), the steps up
// to the length that input 1 gives for its place along batch_axis (by default 1)
// in reverse order.
// https://onnx.ai/onnx/operators/onnx__ReverseSequence.html, opset 10.
func lowerReverseSequence(c *call) ([]*value, error) {
	return c.result(op.ReverseSequence(c.node(0), c.node(1), c.Attrs.Int("time_axis", 0), c.Attrs.Int("batch_axis", 1)))
}

// Compress: the slices along an axis, or the elements of the whole input, whose
// condition is true. What lies behind the end of the condition is left out.
// https://onnx.ai/onnx/operators/onnx__Compress.html, opsets 9 to 11. Rejected: a
// condition that is not constant, because the shape depends on it.
func lowerCompress(c *call) ([]*value, error) {
	keep, err := c.ints(1, "the condition")
	if err != nil {
		return nil, err
	}
	var index []int64
	for i, k := range keep {
		if k != 0 {
			index = append(index, int64(i))
		}
	}
	x, at := c.node(0), 0
	if c.Attrs.Has("axis") {
		if at, err = axis(c.Attrs.Int("axis", 0), c.rank(0)); err != nil {
			return nil, err
		}
	} else if x, err = op.Reshape(x, c.in[0].size()); err != nil {
		return nil, err
	}
	return c.result(c.pick(x, index, at))
}

// pick takes the slices of x along an axis at constant indices.
func (c *call) pick(x *G.Node, index []int64, axis int) (*G.Node, error) {
	if n := int64(x.Shape()[axis]); len(index) > 0 && index[len(index)-1] >= n {
		return nil, fmt.Errorf("index %d of %d elements", index[len(index)-1], n)
	}
	if index == nil {
		index = []int64{}
	}
	return op.Gather(x, c.constantInts([]int{len(index)}, index), axis)
}

// NonZero: the indices of the elements that are not zero, a row an axis.
// https://onnx.ai/onnx/operators/onnx__NonZero.html, opsets 9 to 13. Rejected: an
// input that is not constant, because the shape depends on it.
func lowerNonZero(c *call) ([]*value, error) {
	b, err := c.known(0, c.storageOf(0), "the input")
	if err != nil {
		return nil, err
	}
	shape := c.shape(0)
	rows := make([][]int64, len(shape))
	count := 0
	for i := range b.Len() {
		if b.F != nil && b.F[i] == 0 || b.I != nil && b.I[i] == 0 {
			continue
		}
		count++
		rest := i
		for k := len(shape) - 1; k >= 0; k-- {
			rows[k] = append(rows[k], int64(rest%shape[k]))
			rest /= shape[k]
		}
	}
	data := make([]int64, 0, count*len(shape))
	for _, r := range rows {
		data = append(data, r...)
	}
	return c.generated(Int64, []int{len(shape), count}, op.Buffer{I: data})
}

// TensorScatter: the first input, which holds what was seen so far along an axis
// (by default the last but one), with the second in place from write_indices on,
// one number an example, by default 0. With mode circular it goes on at the
// beginning when the end is reached.
// https://onnx.ai/onnx/operators/onnx__TensorScatter.html, opset 24.
func lowerTensorScatter(c *call) ([]*value, error) {
	rank := c.rank(0)
	at, err := axis(c.Attrs.Int("axis", -2), rank)
	if err != nil {
		return nil, err
	}
	want := slices.Clone(c.shape(0))
	if at == 0 || c.rank(1) != rank || c.shape(1)[at] > want[at] {
		return nil, fmt.Errorf("update %v along axis %d of %v", c.shape(1), at, want)
	}
	length, more := want[at], c.shape(1)[at]
	if want[at] = more; !slices.Equal(c.shape(1), want) {
		return nil, fmt.Errorf("update %v along axis %d of %v", c.shape(1), at, c.shape(0))
	}
	first := c.zero(Int64)
	if c.has(2) {
		if !slices.Equal(c.shape(2), want[:1]) {
			return nil, fmt.Errorf("write_indices have shape %v for %d examples", c.shape(2), want[0])
		}
		shape := make([]int, rank)
		for k := range shape {
			shape[k] = 1
		}
		shape[0] = want[0]
		if first, err = op.Reshape(c.node(2), shape...); err != nil {
			return nil, err
		}
	}
	var f formula
	index := f.add(first, c.counts(more, rank, at))
	switch mode := c.Attrs.String("mode", "linear"); mode {
	case "linear":
	case "circular":
		index = f.pair(op.Modulo, index, c.constantInts(nil, []int64{int64(length)}))
	default:
		return nil, fmt.Errorf("mode %q is none of linear, circular", mode)
	}
	if f.err == nil {
		index = f.then(op.Expand(index, want))
	}
	if f.err != nil {
		return nil, f.err
	}
	return c.result(op.ScatterElements(c.node(0), index, c.node(1), at, op.UpdateSet))
}
