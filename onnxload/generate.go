package onnxload

import (
	"errors"
	"fmt"
	"math"

	"finetune/internal/op"
)

// Size: the number of elements of the input, a constant here.
// https://onnx.ai/onnx/operators/onnx__Size.html, opsets 1 to 25.
func lowerSize(c *call) ([]*value, error) {
	return c.generated(Int64, nil, op.Buffer{I: []int64{int64(c.in[0].size())}})
}

// ConstantOfShape: a tensor of the given shape, full of the one element of
// attribute value, by default float32 0.
// https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html, opsets 9 to 25.
// Rejected: a shape that is not constant.
func lowerConstantOfShape(c *call) ([]*value, error) {
	shape, err := c.ints(0, "the shape")
	if err != nil {
		return nil, err
	}
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	one := &Tensor{DType: Float32, F: []float32{0}}
	if c.Attrs.Has("value") {
		if one = c.Attrs.Tensor("value"); one == nil {
			return nil, nil // its type is wrong, which Attrs reports
		}
	}
	st, ok := one.DType.storage()
	if !ok {
		return nil, unsupported(c.Node, fmt.Sprintf("a value of type %s is not supported", one.DType))
	}
	if len(one.F)+len(one.I) != 1 {
		return nil, fmt.Errorf("attribute value has %d elements, want 1", len(one.F)+len(one.I))
	}
	if n > maxEvaluated {
		return nil, fmt.Errorf("shape %v has more than %d elements", shape, maxEvaluated)
	}
	b := op.NewBuffer(st, n)
	for i := range b.F {
		b.F[i] = one.F[0]
	}
	for i := range b.I {
		b.I[i] = one.I[0]
	}
	return c.generated(one.DType, shape, b)
}

// Range: start, start + delta, and so on before limit.
// https://onnx.ai/onnx/operators/onnx__Range.html, opset 11. Rejected: numbers
// that are not constant.
func lowerRange(c *call) ([]*value, error) {
	var b [3]op.Buffer
	for i, what := range []string{"the start", "the limit", "the step"} {
		var err error
		if b[i], err = c.known(i, c.storageOf(0), what); err != nil {
			return nil, err
		}
		if b[i].Len() != 1 {
			return nil, fmt.Errorf("%s has %d elements, want 1", what, b[i].Len())
		}
	}
	out := op.Buffer{}
	if b[0].I != nil {
		start, limit, delta := b[0].I[0], b[1].I[0], b[2].I[0]
		n, err := rangeLength(float64(limit), float64(start), float64(delta))
		if err != nil {
			return nil, err
		}
		out.I = make([]int64, n)
		for i := range out.I {
			out.I[i] = start + int64(i)*delta
		}
		return c.generated(c.in[0].dtype, []int{n}, out)
	}
	start, limit, delta := b[0].F[0], b[1].F[0], b[2].F[0]
	n, err := rangeLength(float64(limit), float64(start), float64(delta))
	if err != nil {
		return nil, err
	}
	out.F = make([]float32, n)
	for i := range out.F {
		out.F[i] = start + float32(i)*delta
	}
	return c.generated(c.in[0].dtype, []int{n}, out)
}

// rangeLength is max(ceil((limit − start) / delta), 0).
func rangeLength(limit, start, delta float64) (int, error) {
	if delta == 0 {
		return 0, errors.New("a range in steps of 0")
	}
	n := math.Ceil((limit - start) / delta)
	if !(n <= maxEvaluated) {
		return 0, fmt.Errorf("a range of %g elements", n)
	}
	return max(int(n), 0), nil
}

// EyeLike: a matrix of the input's shape with ones on the k-th diagonal, in the
// element type of attribute dtype, by default the input's.
// https://onnx.ai/onnx/operators/onnx__EyeLike.html, opsets 9 to 22.
func lowerEyeLike(c *call) ([]*value, error) {
	if c.rank(0) != 2 {
		return nil, fmt.Errorf("input has shape %v, want a matrix", c.shape(0))
	}
	dt, err := c.dtypeAttribute(c.in[0].dtype)
	if err != nil {
		return nil, err
	}
	st, _ := dt.storage()
	rows, cols, k := c.shape(0)[0], c.shape(0)[1], c.Attrs.Int("k", 0)
	b := op.NewBuffer(st, rows*cols)
	for i := range rows {
		if j := i + k; j >= 0 && j < cols {
			if b.F != nil {
				b.F[i*cols+j] = 1
			} else {
				b.I[i*cols+j] = 1
			}
		}
	}
	return c.generated(dt, c.shape(0), b)
}

// dtypeAttribute is the element type that attribute dtype names by its number.
func (c *call) dtypeAttribute(def DType) (DType, error) {
	if !c.Attrs.Has("dtype") {
		return def, nil
	}
	dt, ok := DTypeOf(c.Attrs.Int("dtype", 0))
	if !ok {
		return "", fmt.Errorf("attribute dtype: no element type has number %d", c.Attrs.Int("dtype", 0))
	}
	if _, ok := dt.storage(); !ok {
		return "", unsupported(c.Node, fmt.Sprintf("dtype %s is not supported", dt))
	}
	return dt, nil
}

// generated is one output whose elements were computed while lowering.
func (c *call) generated(dt DType, shape []int, data op.Buffer) ([]*value, error) {
	if shape == nil {
		shape = []int{}
	}
	return []*value{{dtype: dt, shape: shape, known: true, data: data}}, nil
}

// OneHot: along a new axis (by default the last) of the given depth, the second
// of two values where the place is the index, and the first elsewhere. Negative
// indices count from the end; those outside hit nothing.
// https://onnx.ai/onnx/operators/onnx__OneHot.html, opsets 9 to 11. Rejected: a
// depth that is not constant.
func lowerOneHot(c *call) ([]*value, error) {
	depth, err := c.depth()
	if err != nil {
		return nil, err
	}
	at, err := axis(c.Attrs.Int("axis", -1), c.rank(0)+1)
	if err != nil {
		return nil, err
	}
	if c.in[2].size() != 2 {
		return nil, fmt.Errorf("input 2 has %d values, want 2", c.in[2].size())
	}
	shape := append(append(append([]int{}, c.shape(0)[:at]...), 1), c.shape(0)[at:]...)
	index, err := op.ToInt(c.node(0))
	if err == nil {
		index, err = op.Reshape(index, shape...)
	}
	if err != nil {
		return nil, err
	}
	places := c.counts(depth, len(shape), at)
	hit, err := op.Equal(index, places)
	if err != nil {
		return nil, err
	}
	negative, err := op.Add(index, c.constantInts(nil, []int64{int64(depth)}))
	if err != nil {
		return nil, err
	}
	again, err := op.Equal(negative, places)
	if err != nil {
		return nil, err
	}
	if hit, err = op.Or(hit, again); err != nil {
		return nil, err
	}
	off, err := op.Slice(c.node(2), []int{0}, []int{1}, nil)
	if err != nil {
		return nil, err
	}
	on, err := op.Slice(c.node(2), []int{1}, []int{2}, nil)
	if err != nil {
		return nil, err
	}
	n, err := op.Where(hit, on, off)
	return c.resultAs(c.in[2].dtype, n, err)
}

// depth is input 1, a number of any type.
func (c *call) depth() (int, error) {
	if c.in[1].dtype.IsFloat() {
		f, err := c.float(1, "the depth")
		if err == nil && !(f >= 0 && f <= maxExtent) {
			err = fmt.Errorf("the depth is %g", f)
		}
		return int(f), err
	}
	n, err := c.int(1, "the depth")
	if err == nil && (n < 0 || n > maxExtent) {
		err = fmt.Errorf("the depth is %d", n)
	}
	return n, err
}

// Trilu: the upper (attribute upper, by default) or lower triangle of the last
// two axes, from the k-th diagonal on, and zeros elsewhere.
// https://onnx.ai/onnx/operators/onnx__Trilu.html, opset 14. Rejected: a k that is
// not constant.
func lowerTrilu(c *call) ([]*value, error) {
	if c.rank(0) < 2 {
		return nil, fmt.Errorf("input has shape %v, want rank 2 or more", c.shape(0))
	}
	k := 0
	if c.has(1) {
		var err error
		if k, err = c.int(1, "the number k"); err != nil {
			return nil, err
		}
	}
	rows, cols := c.shape(0)[c.rank(0)-2], c.shape(0)[c.rank(0)-1]
	upper := c.Attrs.Int("upper", 1) != 0
	mask := make([]int64, rows*cols)
	for i := range rows {
		for j := range cols {
			if upper && j-i >= k || !upper && j-i <= k {
				mask[i*cols+j] = 1
			}
		}
	}
	n, err := op.Where(c.constantInts([]int{rows, cols}, mask), c.node(0), c.zero(c.in[0].dtype))
	return c.result(n, err)
}
