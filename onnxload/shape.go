package onnxload

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/op"
)

// Reshape: the same elements in the same order under another shape. In the
// target, one −1 stands for what is left, and 0 for the input's own dimension,
// or for none with allowzero. The target is an attribute before opset 5.
// https://onnx.ai/onnx/operators/onnx__Reshape.html, opsets 1 to 25. Rejected: a
// target that is not constant.
func lowerReshape(c *call) ([]*value, error) {
	var target []int
	var err error
	switch {
	case c.Opset < 5:
		target = c.Attrs.Ints("shape", nil)
	case !c.has(1):
		return nil, errors.New("input 1, the target shape, is missing")
	default:
		if target, err = c.ints(1, "the target shape"); err != nil {
			return nil, err
		}
	}
	if lifted := c.liftedTarget(); lifted != nil {
		return c.reshaped(lifted)
	}
	shape, err := reshapeTarget(c.shape(0), target, c.Attrs.Int("allowzero", 0) != 0)
	if err != nil {
		return nil, err
	}
	return c.reshaped(shape)
}

// reshapeTarget resolves 0 and −1 in the target of a Reshape of shape.
func reshapeTarget(shape, target []int, allowZero bool) ([]int, error) {
	out := slices.Clone(target)
	open := -1
	for i, d := range target {
		switch {
		case d == 0 && !allowZero:
			if i >= len(shape) {
				return nil, fmt.Errorf("target %v copies axis %d of shape %v", target, i, shape)
			}
			out[i] = shape[i]
		case d == -1 && open < 0:
			open = i
			out[i] = 1
		case d == -1:
			return nil, fmt.Errorf("target %v leaves two dimensions open", target)
		}
	}
	n, err := elements(out)
	if err != nil {
		return nil, fmt.Errorf("target %v: %w", target, err)
	}
	have := product(shape)
	if open >= 0 && n > 0 {
		out[open] = have / n
		n *= out[open]
	}
	if n != have {
		return nil, fmt.Errorf("shape %v does not fit target %v: %d elements, want %d", shape, target, have, n)
	}
	return out, nil
}

// reshaped is input 0 in another shape.
func (c *call) reshaped(shape []int) ([]*value, error) {
	if slices.Equal(shape, c.shape(0)) {
		return c.same(0), nil
	}
	return c.result(op.Reshape(c.node(0), shape...))
}

// Flatten: a matrix of the axes before the given one (by default 1) by the others.
// https://onnx.ai/onnx/operators/onnx__Flatten.html, opsets 1 to 25.
func lowerFlatten(c *call) ([]*value, error) {
	shape := c.shape(0)
	at := c.Attrs.Int("axis", 1)
	if at < 0 {
		at += len(shape)
	}
	if at < 0 || at > len(shape) {
		return nil, fmt.Errorf("axis %d is outside shape %v", c.Attrs.Int("axis", 1), shape)
	}
	return c.reshaped([]int{product(shape[:at]), product(shape[at:])})
}

// Squeeze: without the given axes of length 1, or without all such. The axes are
// an attribute before opset 13 and an input since.
// https://onnx.ai/onnx/operators/onnx__Squeeze.html, opsets 1 to 25. Rejected:
// axes that are not constant.
func lowerSqueeze(c *call) ([]*value, error) {
	list, given, err := c.axesArgument(c.rank(0))
	if err != nil {
		return nil, err
	}
	var shape []int
	ones := c.declaredShape()
	for i, d := range c.shape(0) {
		switch listed := slices.Contains(list, i); {
		case listed && d != 1:
			return nil, fmt.Errorf("axis %d of shape %v is not 1", i, c.shape(0))
		case listed, !given && d == 1 && ones[i] == 1:
		default:
			shape = append(shape, d)
		}
	}
	return c.reshaped(shape)
}

// Unsqueeze: with axes of length 1 put in, at the given places of the result.
// The axes are an attribute before opset 13 and an input since.
// https://onnx.ai/onnx/operators/onnx__Unsqueeze.html, opsets 1 to 25. Rejected:
// axes that are not constant.
func lowerUnsqueeze(c *call) ([]*value, error) {
	count := 0
	if c.has(1) && c.Opset >= 13 {
		count = c.in[1].size()
	} else {
		count = len(c.Attrs.Ints("axes", nil))
	}
	list, given, err := c.axesArgument(c.rank(0) + count)
	if err != nil {
		return nil, err
	}
	if !given {
		return nil, errors.New("axes are missing")
	}
	rest := c.shape(0)
	var shape []int
	for i := range c.rank(0) + count {
		if slices.Contains(list, i) {
			shape = append(shape, 1)
		} else {
			shape, rest = append(shape, rest[0]), rest[1:]
		}
	}
	return c.reshaped(shape)
}

// axesArgument is the axes of a value with the given rank that input 1 names,
// or attribute axes before opset 13, and whether any were given.
func (c *call) axesArgument(rank int) (list []int, given bool, err error) {
	if c.Opset < 13 {
		list = c.Attrs.Ints("axes", nil)
		given = list != nil
	} else if given = c.has(1); given {
		if list, err = c.ints(1, "the list of axes"); err != nil {
			return nil, true, err
		}
	}
	list, err = axes(list, rank)
	return list, given, err
}

// Transpose: axes in another order, by default reversed.
// https://onnx.ai/onnx/operators/onnx__Transpose.html, opsets 1 to 25.
func lowerTranspose(c *call) ([]*value, error) {
	perm := c.Attrs.Ints("perm", nil)
	if perm == nil {
		for i := range c.rank(0) {
			perm = append([]int{i}, perm...)
		}
	}
	perm, err := axes(perm, c.rank(0))
	if err != nil {
		return nil, fmt.Errorf("perm: %w", err)
	}
	if len(perm) != c.rank(0) {
		return nil, fmt.Errorf("perm %v does not fit shape %v", perm, c.shape(0))
	}
	return c.result(op.Transpose(c.node(0), perm))
}

// Shape: the dimensions of the input, from axis start to before end. They are
// constants here, because all shapes are known.
// https://onnx.ai/onnx/operators/onnx__Shape.html, opsets 1 to 25.
func lowerShape(c *call) ([]*value, error) {
	rank := c.rank(0)
	clamp := func(a int) int {
		if a < 0 {
			a += rank
		}
		return min(max(a, 0), rank)
	}
	start, end := clamp(c.Attrs.Int("start", 0)), clamp(c.Attrs.Int("end", rank))
	dims := []int64{}
	for i := start; i < end; i++ {
		dims = append(dims, int64(c.shape(0)[i]))
	}
	return []*value{{dtype: Int64, shape: []int{len(dims)}, known: true, data: op.Buffer{I: dims}}}, nil
}

// Identity: the input itself.
// https://onnx.ai/onnx/operators/onnx__Identity.html, opsets 1 to 25.
func lowerIdentity(c *call) ([]*value, error) { return c.same(0), nil }

// Concat: the inputs one after the other along an axis, by default 1 before
// opset 4 and without a default since.
// https://onnx.ai/onnx/operators/onnx__Concat.html, opsets 1 to 13.
func lowerConcat(c *call) ([]*value, error) {
	if c.Opset >= 4 && !c.Attrs.Has("axis") {
		return nil, errors.New("attribute axis is missing")
	}
	at, err := axis(c.Attrs.Int("axis", 1), c.rank(0))
	if err != nil {
		return nil, err
	}
	nodes := make([]*G.Node, len(c.in))
	for i := range c.in {
		if !c.has(i) {
			return nil, fmt.Errorf("input %d is missing", i)
		}
		nodes[i] = c.node(i)
	}
	if len(nodes) == 1 {
		return c.same(0), nil
	}
	return c.result(op.Concat(at, nodes...))
}

// Expand: the input repeated to the shape that it and the given one have
// together under numpy's broadcasting.
// https://onnx.ai/onnx/operators/onnx__Expand.html, opsets 8 to 13. Rejected: a
// shape that is not constant.
func lowerExpand(c *call) ([]*value, error) {
	shape, err := c.ints(1, "the shape")
	if err != nil {
		return nil, err
	}
	if _, err := elements(shape); err != nil {
		return nil, err
	}
	return c.result(op.Expand(c.node(0), shape))
}

// Gather: the slices of the first input along an axis (by default 0) that the
// indices name, negative ones counted from the end.
// https://onnx.ai/onnx/operators/onnx__Gather.html, opsets 1 to 13.
func lowerGather(c *call) ([]*value, error) {
	at, err := axis(c.Attrs.Int("axis", 0), c.rank(0))
	if err != nil {
		return nil, err
	}
	if st, _ := c.in[1].dtype.storage(); st != tensor.Int64 {
		return nil, fmt.Errorf("indices have element type %s, want integers", c.in[1].dtype)
	}
	return c.result(op.Gather(c.node(0), c.node(1), at))
}
