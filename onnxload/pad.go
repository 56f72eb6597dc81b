package onnxload

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Pad: the input with elements put around it, or taken away where the number is
// negative. Mode constant puts a value (by default 0); reflect mirrors at the
// first and last element, edge repeats them, wrap goes around. The numbers,
// begins then ends, are an attribute before opset 11 and an input since, for the
// axes that input 3 names or for all.
// https://onnx.ai/onnx/operators/onnx__Pad.html, opsets 1 to 25. Rejected: numbers
// that are not constant.
func lowerPad(c *call) ([]*value, error) {
	begins, ends, err := c.padding()
	if err != nil {
		return nil, err
	}
	switch mode := c.Attrs.String("mode", "constant"); mode {
	case "constant":
		return c.padConstant(begins, ends)
	case "reflect", "edge", "wrap":
		return c.padFromInput(mode, begins, ends)
	default:
		return nil, fmt.Errorf("mode %q is none of constant, reflect, edge, wrap", mode)
	}
}

// padding is how much to put before and behind each axis.
func (c *call) padding() (begins, ends []int, err error) {
	var list []int
	switch {
	case c.Opset == 1:
		list = c.Attrs.Ints("paddings", nil)
	case c.Opset < 11:
		list = c.Attrs.Ints("pads", nil)
	case !c.has(1):
		return nil, nil, errors.New("input 1, the padding, is missing")
	default:
		list, err = c.ints(1, "the padding")
	}
	if err != nil {
		return nil, nil, err
	}
	where := make([]int, c.rank(0))
	for k := range where {
		where[k] = k
	}
	if c.has(3) {
		if where, err = c.ints(3, "the list of axes"); err != nil {
			return nil, nil, err
		}
		if where, err = axes(where, c.rank(0)); err != nil {
			return nil, nil, err
		}
	}
	if len(list) != 2*len(where) {
		return nil, nil, fmt.Errorf("%d numbers of padding for %d axes, want %d", len(list), len(where), 2*len(where))
	}
	if err := bounded("the padding", list, -maxExtent); err != nil {
		return nil, nil, err
	}
	begins, ends = make([]int, c.rank(0)), make([]int, c.rank(0))
	for i, k := range where {
		begins[k], ends[k] = list[i], list[len(where)+i]
	}
	return begins, ends, nil
}

func (c *call) padConstant(begins, ends []int) ([]*value, error) {
	x, err := c.cut(begins, ends)
	if err != nil {
		return nil, err
	}
	var value *G.Node
	switch {
	case c.has(2):
		value = c.node(2)
	case c.Attrs.Has("value"):
		value = c.constant(nil, c.Attrs.Float("value", 0))
	}
	if !slices.ContainsFunc(append(slices.Clone(begins), ends...), func(n int) bool { return n > 0 }) {
		return c.result(x, nil)
	}
	return c.result(op.Pad(x, begins, ends, value))
}

// cut takes away what the negative numbers say, and sets them to 0.
func (c *call) cut(begins, ends []int) (*G.Node, error) {
	starts, stops := make([]int, c.rank(0)), slices.Clone(c.shape(0))
	for k, d := range c.shape(0) {
		starts[k], stops[k] = max(0, -begins[k]), d-max(0, -ends[k])
		if starts[k] > stops[k] {
			return nil, fmt.Errorf("padding %d and %d leaves nothing of axis %d with %d elements", begins[k], ends[k], k, d)
		}
		begins[k], ends[k] = max(0, begins[k]), max(0, ends[k])
	}
	if slices.Equal(stops, c.shape(0)) && !slices.ContainsFunc(starts, func(s int) bool { return s > 0 }) {
		return c.node(0), nil
	}
	return op.Slice(c.node(0), starts, stops, nil)
}

// padFromInput looks the new elements up in the input, one axis after the other.
func (c *call) padFromInput(mode string, begins, ends []int) ([]*value, error) {
	x := c.node(0)
	for k, d := range c.shape(0) {
		if begins[k] == 0 && ends[k] == 0 {
			continue
		}
		if d+begins[k]+ends[k] < 0 {
			return nil, fmt.Errorf("padding %d and %d of axis %d with %d elements", begins[k], ends[k], k, d)
		}
		if d == 0 {
			return nil, fmt.Errorf("axis %d has no elements to pad with", k)
		}
		var index []int64
		for i := -begins[k]; i < d+ends[k]; i++ {
			index = append(index, int64(padSource(mode, i, d)))
		}
		var err error
		if x, err = op.Gather(x, c.constantInts([]int{len(index)}, index), k); err != nil {
			return nil, err
		}
	}
	return c.result(x, nil)
}

// padSource is the element of an axis of length d that stands at place i.
func padSource(mode string, i, d int) int {
	switch mode {
	case "edge":
		return min(max(i, 0), d-1)
	case "wrap":
		return (i%d + d) % d
	}
	if d == 1 {
		return 0
	}
	period := 2 * (d - 1)
	i = (i%period + period) % period
	return min(i, period-i)
}

// CenterCropPad: along the given axes (by default all), the middle of the input
// at the length that input 1 gives, or the input in the middle of zeros.
// https://onnx.ai/onnx/operators/onnx__CenterCropPad.html, opset 18. Rejected:
// lengths that are not constant.
func lowerCenterCropPad(c *call) ([]*value, error) {
	lengths, err := c.ints(1, "the list of lengths")
	if err != nil {
		return nil, err
	}
	where := make([]int, c.rank(0))
	for k := range where {
		where[k] = k
	}
	if where, err = axes(c.Attrs.Ints("axes", where), c.rank(0)); err != nil {
		return nil, err
	}
	if len(lengths) != len(where) {
		return nil, fmt.Errorf("%d lengths for %d axes", len(lengths), len(where))
	}
	if err := bounded("the list of lengths", lengths, 0); err != nil {
		return nil, err
	}
	begins, ends := make([]int, c.rank(0)), make([]int, c.rank(0))
	for i, k := range where {
		more := lengths[i] - c.shape(0)[k]
		begins[k] = more / 2 // toward zero
		ends[k] = more - begins[k]
	}
	return c.padConstant(begins, ends)
}

// Tile: the input repeated along each axis as often as input 1 says.
// https://onnx.ai/onnx/operators/onnx__Tile.html, opsets 6 to 13. Rejected:
// repeats that are not constant.
func lowerTile(c *call) ([]*value, error) {
	repeats, err := c.ints(1, "the list of repeats")
	if err != nil {
		return nil, err
	}
	if len(repeats) != c.rank(0) {
		return nil, fmt.Errorf("%d repeats for %d axes", len(repeats), c.rank(0))
	}
	var apart, spread, shape []int // (1, d, …), (r, d, …), (r·d, …)
	for k, d := range c.shape(0) {
		apart = append(apart, 1, d)
		spread = append(spread, repeats[k], d)
		if _, err := elements(spread); err != nil {
			return nil, err
		}
		shape = append(shape, repeats[k]*d)
	}
	x, err := op.Reshape(c.node(0), apart...)
	if err == nil {
		x, err = op.Expand(x, spread)
	}
	if err == nil {
		x, err = op.Reshape(x, shape...)
	}
	return c.result(x, err)
}
