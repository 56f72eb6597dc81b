package onnxload

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/op"
	"finetune/optim"
)

// value is what an ONNX name stands for while lowering: a node of the graph,
// or a constant, which becomes a leaf when an operation first needs it.
type value struct {
	name  string
	dtype DType
	shape []int

	known bool // data is its value, whatever is fed or trained
	data  op.Buffer
	param *optim.Param // set for a parameter, known or not

	node *G.Node // nil until needed for a constant or parameter
	head *head   // set behind a Softmax or the like

	// smooth is the same numbers as float32 with a gradient, for integers that a
	// QuantizeLinear made.
	smooth *G.Node
}

// elements is the number of elements of a shape. It fails where the size does
// not fit what a graph can hold.
func elements(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > maxElements/d {
			return 0, fmt.Errorf("shape %v has more than %d elements", shape, maxElements)
		}
		n *= d
	}
	return n, nil
}

// maxElements bounds every tensor of a graph, 8 GiB of float32: an absurd
// dimension in a file is an error before it is an allocation.
const maxElements = 1 << 31

// storage is the element type that values of d have in the graph, and whether
// there is one.
func (d DType) storage() (tensor.Dtype, bool) {
	switch {
	case d.inFloats():
		return tensor.Float32, true
	case d.IsInt():
		return tensor.Int64, true
	}
	return tensor.Dtype{}, false
}

// size is the number of elements.
func (v *value) size() int { return product(v.shape) }

// tensorValue is the constant that a tensor of the file holds.
func tensorValue(name string, t *Tensor) (*value, error) {
	n, err := elements(t.Shape)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	v := &value{name: name, dtype: t.DType, shape: t.Shape, known: true, data: op.Buffer{F: t.F, I: t.I}}
	if _, ok := t.DType.storage(); !ok || v.data.Len() != n {
		v.known = false // of a type that nothing here computes with
	}
	return v, nil
}

// leaf is the node of v in the program's graph.
func (l *lowering) leaf(v *value) *G.Node {
	if v.node != nil {
		return v.node
	}
	dt, _ := v.dtype.storage()
	if v.param != nil {
		dt = tensor.Float32 // whatever it is in the file
	}
	v.node = l.newLeaf(v.name, dt, v.shape)
	if v.param != nil {
		l.prog.Params[v.param] = v.node
		l.prog.Bind[v.node] = op.Buffer{F: v.param.Value}
	} else {
		l.prog.Bind[v.node] = v.data
	}
	return v.node
}

// newLeaf makes a leaf under a name that no other leaf has: gorgonia hands out
// an existing node for a name that it knows, or whose hash it knows.
func (l *lowering) newLeaf(name string, dt tensor.Dtype, shape []int) *G.Node {
	for unique := name; ; unique += "'" {
		n := op.Input(l.prog.Graph, unique, dt, shape...)
		if _, taken := l.prog.source[n]; !taken {
			l.prog.source[n] = source{name: name}
			return n
		}
	}
}
