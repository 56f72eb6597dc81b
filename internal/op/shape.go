package op

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The operations here move elements about and take float32 and int64.

// Reshape calls the elements of x, in their order, by another shape of the same
// size. Nothing is copied.
func Reshape(x *G.Node, shape ...int) (*G.Node, error) {
	if err := checkShape("Reshape", shape); err != nil {
		return nil, err
	}
	if tensor.Shape(shape).TotalSize() != x.Shape().TotalSize() {
		return nil, fmt.Errorf("Reshape: %v has %d elements, %v has %d",
			x.Shape(), x.Shape().TotalSize(), tensor.Shape(shape), tensor.Shape(shape).TotalSize())
	}
	return apply(Op{
		Name: "Reshape", Shape: shape, Dtype: x.Dtype(), Alias: true, Diff: floats(x),
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := Reshape(g, in[0].Shape()...)
			return G.Nodes{dx}, err
		},
	}, x)
}

// Transpose reorders the axes: axis k of the result is axis perm[k] of x. A nil
// perm reverses them.
func Transpose(x *G.Node, perm []int) (*G.Node, error) {
	rank := x.Dims()
	if perm == nil {
		for k := range rank {
			perm = append(perm, rank-1-k)
		}
	}
	if len(perm) != rank {
		return nil, fmt.Errorf("Transpose: permutation %v of %d axes", perm, rank)
	}
	inverse := make([]int, rank)
	shape, strides := make(tensor.Shape, rank), make([]int, rank)
	source := kernel.Strides(x.Shape())
	for k, axis := range perm {
		if axis < 0 || axis >= rank || slices.Contains(perm[:k], axis) {
			return nil, fmt.Errorf("Transpose: %v is no permutation of %d axes", perm, rank)
		}
		inverse[axis] = k
		shape[k], strides[k] = x.Shape()[axis], source[axis]
	}
	if keepsOrder(x.Shape(), perm) {
		return Reshape(x, shape...)
	}
	return read("Transpose", x, shape, kernel.NewView(shape, strides, 0),
		func(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := Transpose(g, inverse)
			return G.Nodes{dx}, err
		})
}

// keepsOrder reports whether a permutation only moves axes of size 1.
func keepsOrder(shape tensor.Shape, perm []int) bool {
	last := -1
	for _, axis := range perm {
		if shape[axis] == 1 {
			continue
		}
		if axis < last {
			return false
		}
		last = axis
	}
	return true
}

// Slice takes, along each axis k, the elements starts[k], starts[k]+steps[k],
// and so on before ends[k]. Negative positions count from the end, positions
// beyond an end stop there, and a negative step walks backward (to run it to
// the first element, let it end at -size-1 or less): the rules of ONNX and
// Python. There is one entry for each axis; nil steps are all 1.
func Slice(x *G.Node, starts, ends, steps []int) (*G.Node, error) {
	rank := x.Dims()
	if steps == nil {
		steps = slices.Repeat([]int{1}, rank)
	}
	if len(starts) != rank || len(ends) != rank || len(steps) != rank {
		return nil, fmt.Errorf("Slice: got %d starts, %d ends and %d steps for %d axes",
			len(starts), len(ends), len(steps), rank)
	}
	shape, strides := make(tensor.Shape, rank), kernel.Strides(x.Shape())
	offset := 0
	for k, d := range x.Shape() {
		if steps[k] == 0 {
			return nil, fmt.Errorf("Slice: step 0 on axis %d", k)
		}
		first, count := span(d, starts[k], ends[k], steps[k])
		shape[k] = count
		if count > 0 {
			offset += first * strides[k]
		}
		if count > 1 {
			strides[k] *= steps[k]
		}
	}
	view := kernel.NewView(shape, strides, offset)
	return read("Slice", x, shape, view, func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		dx, err := unslice(g, in[0].Shape(), view)
		return G.Nodes{dx}, err
	})
}

// span resolves a slice of an axis of size d to its first position and its
// number of elements.
func span(d, start, end, step int) (first, count int) {
	low, high := 0, d // where positions may lie; one less when walking backward
	if step < 0 {
		low, high = -1, d-1
	}
	clamp := func(i int) int {
		if i < 0 {
			i += d
		}
		return min(max(i, low), high)
	}
	start, end = clamp(start), clamp(end)
	if step > 0 && start < end {
		return start, (end-start-1)/step + 1
	}
	if step < 0 && start > end {
		return start, (start-end-1)/-step + 1
	}
	return start, 0
}

// unslice is the gradient of Slice: zeros of the given shape, with g where the
// view says.
func unslice(g *G.Node, shape tensor.Shape, view kernel.View) (*G.Node, error) {
	return apply(Op{
		Name: "SliceGrad", Shape: shape, Dtype: tensor.Float32, Diff: []bool{true},
		Run: func(c *Call) error {
			clear(c.Out.F)
			kernel.Write(c.Out.F, c.In[0].F, &view)
			return nil
		},
		Grad: func(in G.Nodes, _, gg *G.Node) (G.Nodes, error) {
			dg, err := read("Slice", gg, in[0].Shape(), view, nil)
			return G.Nodes{dg}, err
		},
	}, g)
}

// Expand repeats x to the shape that the two have together under numpy's rules.
func Expand(x *G.Node, shape []int) (*G.Node, error) {
	if err := checkShape("Expand", shape); err != nil {
		return nil, err
	}
	out, err := broadcast(x.Shape(), shape)
	if err != nil {
		return nil, fmt.Errorf("Expand: %w", err)
	}
	if slices.Equal(out, x.Shape()) {
		return x, nil
	}
	strides := make([]int, len(out))
	lead := len(out) - x.Dims()
	for k, s := range kernel.Strides(x.Shape()) {
		if x.Shape()[k] != 1 {
			strides[lead+k] = s
		}
	}
	return read("Expand", x, out, kernel.NewView(out, strides, 0),
		func(in G.Nodes, _, g *G.Node) (G.Nodes, error) { return sumToInputs(in, g) })
}

// Concat joins tensors, equal but along the axis, end to end along it.
func Concat(axis int, xs ...*G.Node) (*G.Node, error) {
	if len(xs) == 0 {
		return nil, errors.New("Concat: nothing to join")
	}
	axis, err := wrapAxis(axis, xs[0].Dims())
	if err != nil {
		return nil, fmt.Errorf("Concat: %w", err)
	}
	shape := slices.Clone(xs[0].Shape())
	shape[axis] = 0
	for _, x := range xs {
		if x.Dtype() != xs[0].Dtype() {
			return nil, fmt.Errorf("Concat: inputs of %v and %v", xs[0].Dtype(), x.Dtype())
		}
		same := x.Dims() == len(shape)
		for k := 0; same && k < len(shape); k++ {
			same = k == axis || x.Shape()[k] == shape[k]
		}
		if !same {
			return nil, fmt.Errorf("Concat: shapes %v and %v on axis %d", xs[0].Shape(), x.Shape(), axis)
		}
		shape[axis] += x.Shape()[axis]
	}
	strides := kernel.Strides(shape)
	places := make([]kernel.View, len(xs))
	at := 0
	for i, x := range xs {
		places[i] = kernel.NewView(x.Shape(), strides, at*strides[axis])
		at += x.Shape()[axis]
	}
	o := Op{Name: "Concat", Shape: shape, Dtype: xs[0].Dtype(), Diff: floats(xs...)}
	o.Run = func(c *Call) error {
		for i := range places {
			if c.Out.I != nil {
				kernel.Write(c.Out.I, c.In[i].I, &places[i])
			} else {
				kernel.Write(c.Out.F, c.In[i].F, &places[i])
			}
		}
		return nil
	}
	o.Grad = func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		grads := make(G.Nodes, len(in))
		starts, ends := make([]int, len(shape)), slices.Clone(shape)
		ends[axis] = 0
		for i, x := range in {
			starts[axis], ends[axis] = ends[axis], ends[axis]+x.Shape()[axis]
			var err error
			if grads[i], err = Slice(g, starts, ends, nil); err != nil {
				return nil, err
			}
		}
		return grads, nil
	}
	return apply(o, xs...)
}

// read is an operation that picks elements of x by a view.
func read(name string, x *G.Node, shape tensor.Shape, view kernel.View, grad gradient) (*G.Node, error) {
	return apply(Op{
		Name: name, Shape: shape, Dtype: x.Dtype(), Diff: floats(x), Grad: grad,
		Run: func(c *Call) error {
			if c.Out.I != nil {
				kernel.Read(c.Out.I, c.In[0].I, &view)
			} else {
				kernel.Read(c.Out.F, c.In[0].F, &view)
			}
			return nil
		},
	}, x)
}

// floats marks the nodes that can have a gradient.
func floats(nodes ...*G.Node) []bool {
	diff := make([]bool, len(nodes))
	for i, n := range nodes {
		diff[i] = n.Dtype() == tensor.Float32
	}
	return diff
}

// checkShape reports sizes that are negative or whose product does not fit.
func checkShape(name string, shape []int) error {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return fmt.Errorf("%s: negative size in shape %v", name, tensor.Shape(shape))
		}
		if d > 0 && n > math.MaxInt/d {
			return fmt.Errorf("%s: shape %v is too large", name, tensor.Shape(shape))
		}
		n *= max(d, 1)
	}
	return nil
}
