package engine

import (
	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
)

// A fusion is several nodes that are computed as one: the first, and those that
// only change the elements of what the one before makes, each being the only
// reader of that. It takes the place of the first node, and its result is that of
// the last.
type fusion struct {
	op   *op.Op
	in   G.Nodes
	last *G.Node
	more *G.Node // the first, if it computes more than last; else nil
}

// stored is the node that has the shape of all that is computed.
func (f *fusion) stored() *G.Node {
	if f.more != nil {
		return f.more
	}
	return f.last
}

// fuser finds fusions.
type fuser struct {
	place   map[*G.Node]int // in the order of execution
	readers map[*G.Node]G.Nodes
	bind    map[*G.Node]op.Buffer
	output  map[*G.Node]bool
	end     map[*G.Node]int // place of the fusion that a node is the last of
}

// fuse finds what can be computed as one, by the first node, and the nodes that
// are then computed by no step of their own. It comes after Backprop: gradients
// are made of results that are visible, and their nodes fuse like all others.
// A result that its gradient reads too has a second reader, and stays.
func fuse(order []*G.Node, outputs []*G.Node, bind map[*G.Node]op.Buffer) (byFirst map[*G.Node]fusion, gone map[*G.Node]bool) {
	f := fuser{
		place: map[*G.Node]int{}, readers: map[*G.Node]G.Nodes{}, end: map[*G.Node]int{},
		bind: bind, output: map[*G.Node]bool{},
	}
	for _, n := range outputs {
		f.output[n] = true
	}
	for i, n := range order {
		f.place[n] = i
		for _, in := range children(n) {
			f.readers[in] = append(f.readers[in], n)
		}
	}
	byFirst, gone = map[*G.Node]fusion{}, map[*G.Node]bool{}
	for i, n := range order {
		o, ok := n.Op().(*op.Op)
		if !ok || gone[n] {
			continue
		}
		start := f.result(n)
		all := fusion{op: o, in: children(n), last: start}
		if start != n {
			all.more = n
		}
		for f.extend(&all, i) {
			gone[all.last] = true
		}
		if all.last == start {
			continue
		}
		byFirst[n] = all
		f.end[all.last] = i
	}
	return byFirst, gone
}

// kept reports whether others than nodes read n.
func (f *fuser) kept(n *G.Node) bool {
	_, bound := f.bind[n]
	return bound || f.output[n]
}

// result is what an operation computes in the first place, where it computes more
// than that: an alias of its first elements.
func (f *fuser) result(n *G.Node) *G.Node {
	for _, r := range f.readers[n] {
		if o, ok := r.Op().(*op.Op); ok && o.Alias && size(r.Shape()) < size(n.Shape()) {
			return r
		}
	}
	return n
}

// extend adds the reader of the last node to a fusion whose first node has the
// given place, if they go together.
func (f *fuser) extend(all *fusion, place int) bool {
	last := all.last
	if f.kept(last) || len(f.readers[last]) != 1 {
		return false
	}
	next := f.readers[last][0]
	if _, bound := f.bind[next]; bound && all.more != nil {
		return false // it has to lie in other storage
	}
	o, ok := next.Op().(*op.Op)
	if !ok {
		return false
	}
	var others G.Nodes
	at := -1
	for k, in := range children(next) {
		switch {
		case in == last:
			at = k
		case !f.ready(in, place):
			return false
		default:
			others = append(others, in)
		}
	}
	fused := op.Fuse(all.op, o, at)
	if fused == nil {
		return false
	}
	all.op, all.in, all.last = fused, append(all.in[:len(all.in):len(all.in)], others...), next
	return true
}

// ready reports whether n is known before the step at place runs.
func (f *fuser) ready(n *G.Node, place int) bool {
	if n.Op() == nil {
		return true
	}
	if o, ok := n.Op().(*op.Op); ok && o.Alias && !f.kept(n) && f.place[n] > place {
		return f.ready(children(n)[0], place)
	}
	if end, ok := f.end[n]; ok {
		return end < place
	}
	return f.place[n] < place
}
