package onnxload

import (
	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Part is one node of the model in a Program, at the shapes that it has there.
type Part struct {
	Node *Node
	Size int // elements that it reads and makes

	call    *call
	results []*value
}

// Parts are the nodes that became operations of the graph on floats, in execution
// order, with those in subgraphs, once for every time that they run, instead of the
// nodes that have the subgraphs. It is filled
// for Config.Parts.
func (p *Program) Parts() []Part { return p.parts }

// Input is the node of the graph that the part reads at a slot; nil if there is
// none, or a constant.
func (p Part) Input(slot int) *G.Node {
	if slot >= len(p.call.in) || p.call.in[slot] == nil || p.call.in[slot].known {
		return nil
	}
	return p.call.l.leaf(p.call.in[slot])
}

// addPart notes a node that was lowered.
func (l *lowering) addPart(c *call, results []*value) {
	if !l.cfg.Parts || c.fold || c.bodies != nil {
		return
	}
	p := Part{Node: c.Node, call: c, results: results}
	floats := 0
	for _, v := range c.in {
		if v != nil {
			p.Size += v.size()
		}
	}
	for _, v := range results {
		if v != nil && v.node != nil {
			p.Size += v.size()
			if v.dtype.IsFloat() {
				floats++
			}
		}
	}
	if floats > 0 {
		l.prog.parts = append(l.prog.parts, p)
	}
}

// Isolated is a node in a graph of its own.
type Isolated struct {
	Inputs  []IsolatedInput // what it reads, but for constants
	Outputs []*G.Node       // of floats
	Bind    map[*G.Node]op.Buffer
}

// IsolatedInput is a leaf that stands for a node of the whole graph.
type IsolatedInput struct {
	Leaf, From *G.Node
}

// Isolate lowers the node again, by itself.
func (p Part) Isolate() (*Isolated, error) {
	whole := p.call.l
	l := *whole
	l.cfg.Parts = false
	l.prog = newProgram()
	l.scope = newScope(nil, whole.scope.body)
	l.idioms = idioms{}
	alone := &Isolated{Bind: l.prog.Bind}
	for i, v := range p.call.in {
		name := p.call.Inputs[i]
		if v == nil || l.scope.values[name] != nil {
			continue
		}
		given := &value{name: name, dtype: v.dtype, shape: v.shape, known: v.known, data: v.data}
		l.scope.values[name] = given
		if v.known {
			continue
		}
		dt, _ := v.dtype.storage()
		given.node = l.newLeaf(name, dt, v.shape)
		alone.Inputs = append(alone.Inputs, IsolatedInput{given.node, whole.leaf(v)})
	}
	if err := l.lowerNode(p.Node); err != nil {
		return nil, whole.nodeError(p.Node, err)
	}
	for i, v := range p.results {
		if v == nil || i >= len(p.Node.Outputs) {
			continue
		}
		if made := l.scope.values[p.Node.Outputs[i]]; made != nil && made.node != nil && made.dtype.IsFloat() {
			alone.Outputs = append(alone.Outputs, made.node)
		}
	}
	return alone, nil
}
