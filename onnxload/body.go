package onnxload

import (
	"fmt"
	"slices"

	"finetune/internal/onnxpb"
)

// body is a graph inside a node: a branch of an If, or what a Loop or a Scan
// repeats. Its tensors are constants; weights that are to be trained lie in the
// graph of the model.
type body struct {
	inputs, outputs []string
	nodes           []*Node // in execution order, without Constant nodes
	tensors         map[string]*Tensor
}

// nodeReader reads nodes: those of the model, of its subgraphs and functions.
type nodeReader struct {
	tensors   *tensorReader
	opsets    map[string]int64
	functions map[functionID]*onnxpb.FunctionProto
	budget    *int // nodes that calls of functions may still unfold to
	depth     int  // of functions within functions
}

// node reads what one node says.
func (r nodeReader) node(p *onnxpb.NodeProto, index int) (*Node, error) {
	attrs, err := readAttrs(p.Attribute, r.tensors)
	if err != nil {
		return nil, err
	}
	n := &Node{
		Name:     nameOf(p, index),
		Op:       p.GetOpType(),
		Domain:   canonical(p.GetDomain()),
		Overload: p.GetOverload(),
		Inputs:   p.Input,
		Outputs:  p.Output,
		Attrs:    attrs,
		Index:    index,
		Captures: captures(p),
	}
	n.Opset = r.opsets[n.Domain]
	for _, a := range p.Attribute {
		if a.G == nil {
			continue
		}
		b, err := r.body(a.G)
		if err != nil {
			return nil, inside(fmt.Sprintf("attribute %q", a.GetName()), err)
		}
		if n.bodies == nil {
			n.bodies = map[string]*body{}
		}
		n.bodies[a.GetName()] = b
	}
	return n, nil
}

// body reads a subgraph.
func (r nodeReader) body(g *onnxpb.GraphProto) (*body, error) {
	b := &body{tensors: map[string]*Tensor{}}
	for _, p := range g.Input {
		b.inputs = append(b.inputs, p.GetName())
	}
	for _, p := range g.Output {
		b.outputs = append(b.outputs, p.GetName())
	}
	for _, p := range g.Initializer {
		t, err := r.tensors.dense(p)
		if err != nil {
			return nil, inside(initializer(p.GetName()), err)
		}
		b.tensors[t.Name] = t
	}
	for _, p := range g.SparseInitializer {
		t, err := r.tensors.sparse(p)
		if err != nil {
			return nil, inside(initializer(p.GetValues().GetName()), err)
		}
		b.tensors[t.Name] = t
	}
	order, err := executionOrder(g.Node)
	if err != nil {
		return nil, err
	}
	for _, i := range order {
		if b.nodes, err = r.read(b.nodes, b.tensors, g.Node[i], i); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// read adds a node to list, or those that a function called by it stands for, or
// the value of a Constant node to tensors.
func (r nodeReader) read(list []*Node, tensors map[string]*Tensor, p *onnxpb.NodeProto, index int) ([]*Node, error) {
	if f := r.functions[idOf(p)]; f != nil {
		return r.inline(list, tensors, f, p, index)
	}
	n, err := r.node(p, index)
	if err != nil {
		return nil, inside(nodeName(p, index), err)
	}
	if n.Op != "Constant" || n.Domain != "" {
		return append(list, n), nil
	}
	t, err := constantValue(n)
	if err != nil {
		return nil, inside(nodeName(p, index), err)
	}
	if t.Name != "" {
		tensors[t.Name] = t
	}
	return list, nil
}

// reads reports whether a node or an output of the body uses a value.
func (b *body) reads(name string) bool {
	return slices.Contains(b.outputs, name) || slices.ContainsFunc(b.nodes, func(n *Node) bool {
		return slices.Contains(n.Inputs, name) || slices.Contains(n.Captures, name)
	})
}

// runBody lowers a body whose inputs have the given values, and returns those of its
// outputs.
func (l *lowering) runBody(b *body, p pass, in []*value) ([]*value, error) {
	inner := l.enter(b, p)
	for name, t := range b.tensors {
		v, err := tensorValue(name, t)
		if err != nil {
			return nil, err
		}
		inner.scope.values[name] = v
	}
	for i, name := range b.inputs {
		if i < len(in) {
			inner.scope.values[name] = in[i]
		}
	}
	if err := inner.nodes(b.nodes, b.outputs); err != nil {
		return nil, err
	}
	var out []*value
	for _, name := range b.outputs {
		v, ok := inner.scope.find(name)
		if !ok || v == nil {
			return nil, fmt.Errorf("output %q of the subgraph is computed by no node", name)
		}
		out = append(out, v)
	}
	return out, nil
}
