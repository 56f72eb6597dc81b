package onnxload

// scope is the values that names stand for in a graph. One of a subgraph sees
// those of the graph around it as well.
type scope struct {
	values map[string]*value
	outer  *scope
	body   *body // nil for the model's own graph

	// What subgraphs computed, by node and pass, kept for the comparison with
	// the declared batch.
	inner map[pass]*scope
}

// pass is one run through the subgraph of a node.
type pass struct {
	node   *Node
	number int
}

func newScope(outer *scope, b *body) *scope {
	return &scope{values: map[string]*value{"": nil}, outer: outer, body: b, inner: map[pass]*scope{}}
}

// find is the value of a name, and whether it has one.
func (s *scope) find(name string) (*value, bool) {
	for ; s != nil; s = s.outer {
		if v, ok := s.values[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// enter is the lowering of a subgraph, for the given pass through it.
func (l *lowering) enter(b *body, p pass) *lowering {
	in := *l
	in.scope = newScope(l.scope, b)
	l.scope.inner[p] = in.scope
	if l.declared != nil {
		in.declared = l.declared.inner[p]
	}
	return &in
}

// before is the value of a name at the declared batch; nil where nothing is
// lifted, or where the model does something else there.
func (l *lowering) before(name string) *value {
	if l.declared == nil {
		return nil
	}
	v, _ := l.declared.find(name)
	return v
}

// reads reports whether anything uses a value of this scope.
func (l *lowering) reads(name string) bool {
	if l.scope.body != nil {
		return l.scope.body.reads(name)
	}
	return l.model.reads(name)
}
