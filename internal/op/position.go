package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The operations here look elements up, or put them, where indices say. They
// turn the indices into positions first, a node of int64 offsets; then one take
// and one put serve all of them, and each is the other's gradient. Indices are
// int64, negative ones count from the end, and one outside its axis is an error
// when the graph runs.

// Update is what becomes of an element that an update is put on.
type Update = kernel.Putting

// The updates. With UpdateSet, the last of several updates of one element wins;
// with the others all count.
const (
	UpdateSet = kernel.Replace
	UpdateAdd = kernel.PutAdd
	UpdateMul = kernel.PutMul
	UpdateMax = kernel.PutMax
	UpdateMin = kernel.PutMin
)

// GatherElements looks up, for each element of indices, the element of x at the
// same place, but for the index along axis. The result has the shape of indices,
// which has the rank of x and is no longer than x along the other axes.
func GatherElements(x, indices *G.Node, axis int) (*G.Node, error) {
	pos, err := elementPositions("GatherElements", x, indices, axis)
	if err != nil {
		return nil, err
	}
	return take("GatherElements", x, pos, indices.Shape(), 1)
}

// GatherND looks up slices of x: the last axis of indices holds tuples that
// index the first axes of x behind the leading batchDims axes, which both have in
// common. The result has the shape of indices without its last axis, and then
// that of a slice.
func GatherND(x, indices *G.Node, batchDims int) (*G.Node, error) {
	pos, inner, err := tuplePositions("GatherND", x, indices, batchDims)
	if err != nil {
		return nil, err
	}
	s := indices.Shape()
	shape := slices.Concat(s[:len(s)-1], x.Shape()[batchDims+s[len(s)-1]:])
	return take("GatherND", x, pos, shape, inner)
}

// ScatterElements is data with updates put where GatherElements would look the
// elements up. Updates have the shape of indices.
func ScatterElements(data, indices, updates *G.Node, axis int, kind Update) (*G.Node, error) {
	pos, err := elementPositions("ScatterElements", data, indices, axis)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(updates.Shape(), indices.Shape()) {
		return nil, fmt.Errorf("ScatterElements: updates %v for indices %v", updates.Shape(), indices.Shape())
	}
	return put("ScatterElements", kind, data, updates, pos, 1)
}

// ScatterND is data with updates put where GatherND would look the slices up.
func ScatterND(data, indices, updates *G.Node, kind Update) (*G.Node, error) {
	pos, inner, err := tuplePositions("ScatterND", data, indices, 0)
	if err != nil {
		return nil, err
	}
	s := indices.Shape()
	want := slices.Concat(s[:len(s)-1], data.Shape()[s[len(s)-1]:])
	if !slices.Equal(updates.Shape(), want) {
		return nil, fmt.Errorf("ScatterND: updates %v, want %v for indices %v into %v", updates.Shape(), want, s, data.Shape())
	}
	return put("ScatterND", kind, data, updates, pos, inner)
}

// ReverseSequence reverses the first lengths[b] steps along timeAxis for each b
// along batchAxis; one of the two axes is 0 and the other 1. A length outside
// [0, steps] is an error when the graph runs.
func ReverseSequence(x, lengths *G.Node, timeAxis, batchAxis int) (*G.Node, error) {
	s := x.Shape()
	if err := needInts("ReverseSequence", lengths); err != nil {
		return nil, err
	}
	if len(s) < 2 || timeAxis+batchAxis != 1 || timeAxis*batchAxis != 0 {
		return nil, fmt.Errorf("ReverseSequence: time axis %d and batch axis %d of %v, want 0 and 1", timeAxis, batchAxis, s)
	}
	times, batches := s[timeAxis], s[batchAxis]
	if !slices.Equal(lengths.Shape(), tensor.Shape{batches}) {
		return nil, fmt.Errorf("ReverseSequence: lengths have shape %v, want (%d)", lengths.Shape(), batches)
	}
	inner := s[2:].TotalSize()
	step, batch := 1, times
	if timeAxis == 0 {
		step, batch = batches, 1
	}
	pos, err := apply(Op{
		Name: "ReversePositions", Shape: tensor.Shape{times * batches}, Dtype: tensor.Int64,
		Run: func(c *Call) error {
			lengths := c.In[0].I
			if i := kernel.OutOfRange(lengths, 0, int64(times)+1); i >= 0 {
				return fmt.Errorf("length %d of sequence %d is outside [0, %d]", lengths[i], i, times)
			}
			kernel.ReversePositions(c.Out.I, lengths, times, step, batch, inner)
			return nil
		},
	}, lengths)
	if err != nil {
		return nil, err
	}
	return take("ReverseSequence", x, pos, s, inner)
}

// elementPositions is the positions in x that indices mean along an axis.
func elementPositions(name string, x, indices *G.Node, axis int) (*G.Node, error) {
	if err := needInts(name, indices); err != nil {
		return nil, err
	}
	xs, shape := x.Shape(), slices.Clone(indices.Shape())
	axis, err := wrapAxis(axis, len(xs))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	fits := len(xs) == len(shape)
	for k := 0; fits && k < len(xs); k++ {
		fits = k == axis || shape[k] <= xs[k]
	}
	if !fits {
		return nil, fmt.Errorf("%s: indices %v on axis %d of %v", name, shape, axis, xs)
	}
	n, strides := xs[axis], kernel.Strides(xs)
	return apply(Op{
		Name: "Positions", Shape: shape, Dtype: tensor.Int64,
		Run: func(c *Call) error {
			if err := checkIndices(c.In[0].I, n); err != nil {
				return err
			}
			kernel.ElementPositions(c.Out.I, c.In[0].I, shape, strides, axis, n)
			return nil
		},
	}, indices)
}

// tuplePositions is the positions of the slices of x that the tuples in the last
// axis of indices mean, and the size of a slice.
func tuplePositions(name string, x, indices *G.Node, batchDims int) (pos *G.Node, inner int, err error) {
	if err := needInts(name, indices); err != nil {
		return nil, 0, err
	}
	xs, s := slices.Clone(x.Shape()), slices.Clone(indices.Shape())
	last := len(s) - 1
	if last < 0 || batchDims < 0 || batchDims > last || batchDims > len(xs) || batchDims+s[last] > len(xs) ||
		!slices.Equal(s[:batchDims], xs[:batchDims]) {
		return nil, 0, fmt.Errorf("%s: indices %v into %v with %d batch axes", name, s, xs, batchDims)
	}
	end := batchDims + s[last]
	sizes, strides := xs[batchDims:end], kernel.Strides(xs)[batchDims:end]
	batches, stride := xs[:batchDims].TotalSize(), xs[batchDims:].TotalSize()
	pos, err = apply(Op{
		Name: "Positions", Shape: slices.Clone(s[:last]), Dtype: tensor.Int64,
		Run: func(c *Call) error {
			indices := c.In[0].I
			for i, index := range indices {
				if n := int64(sizes[i%len(sizes)]); index < -n || index >= n {
					return fmt.Errorf("index %d (element %d) is outside [%d, %d]", index, i, -n, n-1)
				}
			}
			kernel.TuplePositions(c.Out.I, indices, sizes, strides, batches, stride)
			return nil
		},
	}, indices)
	return pos, xs[end:].TotalSize(), err
}

// take looks up the slices of inner elements of x at the positions.
func take(name string, x, pos *G.Node, shape tensor.Shape, inner int) (*G.Node, error) {
	return apply(Op{
		Name: name, Shape: shape, Dtype: x.Dtype(), Diff: []bool{x.Dtype() == tensor.Float32, false},
		Run: func(c *Call) error {
			if c.Out.I != nil {
				kernel.Take(c.Out.I, c.In[0].I, c.In[1].I, inner)
			} else {
				kernel.Take(c.Out.F, c.In[0].F, c.In[1].I, inner)
			}
			return nil
		},
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			dx, err := untake(name+"Grad", g, in[1], in[0].Shape(), inner)
			return G.Nodes{dx, nil}, err
		},
	}, x, pos)
}

// untake is the gradient of take: zeros of the given shape, to which each slice
// of g is added at its position.
func untake(name string, g, pos *G.Node, shape tensor.Shape, inner int) (*G.Node, error) {
	return apply(Op{
		Name: name, Shape: shape, Dtype: tensor.Float32, Diff: []bool{true, false},
		Run: func(c *Call) error {
			clear(c.Out.F)
			kernel.Put(kernel.PutAdd, c.Out.F, c.In[0].F, c.In[1].I, inner)
			return nil
		},
		Grad: func(in G.Nodes, _, gg *G.Node) (G.Nodes, error) {
			dg, err := take(name, gg, in[1], in[0].Shape(), inner)
			return G.Nodes{dg, nil}, err
		},
	}, g, pos)
}

// put is data with the slices of updates combined in at the positions. With
// maxima and minima, the gradient goes in equal parts to what they were found
// in.
func put(name string, kind Update, data, updates, pos *G.Node, inner int) (*G.Node, error) {
	if data.Dtype() != updates.Dtype() {
		return nil, fmt.Errorf("%s: updates of %v for %v", name, updates.Dtype(), data.Dtype())
	}
	o := Op{Name: name, Shape: data.Shape(), Dtype: data.Dtype(), InPlace: First}
	if o.Dtype == tensor.Int64 {
		o.Run = func(c *Call) error {
			copy(c.Out.I, c.In[0].I)
			kernel.Put(kind, c.Out.I, c.In[1].I, c.In[2].I, inner)
			return nil
		}
		return apply(o, data, updates, pos)
	}
	o.Diff = []bool{true, true, false}
	o.Run = func(c *Call) error {
		copy(c.Out.F, c.In[0].F)
		kernel.Put(kind, c.Out.F, c.In[1].F, c.In[2].I, inner)
		return nil
	}
	o.Grad = func(in G.Nodes, y, g *G.Node) (G.Nodes, error) {
		var data, updates *G.Node
		var err error
		switch kind {
		case UpdateSet:
			data, updates, err = replaceGrads(in, g, inner)
		case UpdateAdd:
			data = g
			updates, err = take("ScatterGrad", g, in[2], in[1].Shape(), inner)
		case UpdateMul:
			data, updates, err = productGrads(in, g, inner)
		default:
			data, updates, err = extremeGrads(in, y, g, inner)
		}
		return G.Nodes{data, updates, nil}, err
	}
	return apply(o, data, updates, pos)
}

// replaceGrads are the gradients of a put that replaces.
func replaceGrads(in G.Nodes, g *G.Node, inner int) (data, updates *G.Node, err error) {
	data, err = apply(Op{
		Name: "ScatterGrad", Shape: g.Shape(), Dtype: tensor.Float32, InPlace: First,
		Run: func(c *Call) error {
			copy(c.Out.F, c.In[0].F)
			kernel.ClearAt(c.Out.F, c.In[1].I, inner)
			return nil
		},
	}, g, in[2])
	if err != nil {
		return nil, nil, err
	}
	slots := g.Shape().TotalSize() / max(inner, 1)
	updates, err = apply(Op{
		Name: "ScatterUpdatesGrad", Shape: in[1].Shape(), Dtype: tensor.Float32,
		Scratch: slots,
		Run: func(c *Call) error {
			kernel.TakeLast(c.Out.F, c.In[0].F, c.In[1].I, inner, c.Scratch[:slots])
			return nil
		},
	}, g, in[2])
	return data, updates, err
}

// productGrads are the gradients of a put that multiplies.
func productGrads(in G.Nodes, g *G.Node, inner int) (data, updates *G.Node, err error) {
	if data, err = put("ScatterGrad", UpdateMul, g, in[1], in[2], inner); err != nil {
		return nil, nil, err
	}
	n := g.Shape().TotalSize()
	updates, err = apply(Op{
		Name: "ScatterUpdatesGrad", Shape: in[1].Shape(), Dtype: tensor.Float32, Scratch: 2 * n,
		Run: func(c *Call) error {
			kernel.TakeCofactors(c.Out.F, c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].I, inner, c.Scratch[:n], c.Scratch[n:2*n])
			return nil
		},
	}, g, in[0], in[1], in[2])
	return data, updates, err
}

// extremeGrads are the gradients of a put that takes the larger or the smaller.
func extremeGrads(in G.Nodes, y, g *G.Node, inner int) (data, updates *G.Node, err error) {
	pos := in[2]
	found, err := take("ScatterGrad", y, pos, in[1].Shape(), inner)
	if err != nil {
		return nil, nil, err
	}
	won, err := pairFloats("Match", in[1], found, kernel.Match, nil)
	if err != nil {
		return nil, nil, err
	}
	held, err := pairFloats("Match", in[0], y, kernel.Match, nil)
	if err != nil {
		return nil, nil, err
	}
	winners, err := put("ScatterGrad", UpdateAdd, held, won, pos, inner)
	if err != nil {
		return nil, nil, err
	}
	share, err := Div(g, winners)
	if err != nil {
		return nil, nil, err
	}
	if data, err = Mul(held, share); err != nil {
		return nil, nil, err
	}
	if share, err = take("ScatterGrad", share, pos, in[1].Shape(), inner); err != nil {
		return nil, nil, err
	}
	updates, err = Mul(won, share)
	return data, updates, err
}
