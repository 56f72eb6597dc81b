package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Plan says in which order the nodes run and where each value lies. It takes no
// memory itself: that is a Machine's business, so a plan can be asked how much that
// would be.
//
// Values that outlive a run (leaves, outputs, whatever the caller bound) have
// storage of their own. The others share two arenas, one of float32 and one of
// int64: a value takes a piece of it when it is computed and gives it back
// after the step that reads it last.
type Plan struct {
	outputs []*G.Node
	steps   []planned
	stores  []store
	at      map[*G.Node]int // index into stores
	floats  arena
	ints    arena
}

// planned is the execution of one node.
type planned struct {
	node    *G.Node
	op      *op.Op
	copies  bool // an alias that has to lie elsewhere than what it aliases
	in      []int
	lens    []int // of what it reads of them
	out     int
	scratch span
}

// store is the place of one value. An alias has the store of what it aliases, or
// the first elements of it.
type store struct {
	ints   bool
	len    int
	leaf   bool
	pinned bool      // never given back, never overwritten by another value
	bound  op.Buffer // pinned, and the caller's
	isSet  bool      // whether bound is
	last   int       // index of the step that reads it last
	room   int       // elements that it gets: len, or as many as what overwrites it needs
	span   span      // where in the arena, unless pinned
}

const forever = math.MaxInt

// children are the inputs of n, in order.
func children(n *G.Node) G.Nodes {
	it := n.Graph().From(n.ID())
	if it == nil {
		return nil
	}
	in := make(G.Nodes, 0, it.Len())
	for it.Next() {
		in = append(in, it.Node().(*G.Node))
	}
	return in
}

// executionOrder lists what roots depend on, each node after its inputs: nodes
// are numbered as they are made, and are made from nodes that exist.
func executionOrder(roots []*G.Node) ([]*G.Node, error) {
	seen := map[*G.Node]bool{}
	var order []*G.Node
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		order = append(order, n)
		for _, in := range children(n) {
			if in.ID() >= n.ID() {
				return nil, fmt.Errorf("node %q: its input %q was made after it", n.Name(), in.Name())
			}
			todo = append(todo, in)
		}
	}
	sortByID(order)
	return order, nil
}

// NewPlan lays out the computation of outputs, as Compile describes it. What they
// do not depend on is not in it.
func NewPlan(outputs []*G.Node, bind map[*G.Node]op.Buffer) (*Plan, error) {
	outputs = slices.DeleteFunc(slices.Clone(outputs), func(n *G.Node) bool { return n == nil })
	order, err := executionOrder(outputs)
	if err != nil {
		return nil, err
	}
	p := &Plan{outputs: outputs, at: make(map[*G.Node]int, len(order))}
	fused, gone := fuse(order, outputs, bind)
	for _, n := range order {
		if n.Op() == nil {
			if _, err := p.newStore(n, bind); err != nil {
				return nil, err
			}
		}
	}
	for _, n := range order {
		if n.Op() == nil || gone[n] {
			continue
		}
		if all, ok := fused[n]; ok {
			err = p.addStep(planned{node: n, op: all.op}, all.in, all.stored(), bind)
			p.at[all.last] = p.at[all.stored()]
		} else {
			err = p.add(n, bind)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, n := range outputs {
		p.stores[p.at[n]].pinned = true
	}
	p.assign()
	return p, nil
}

// Shared is the room that values take which nobody needs after a run, in bytes.
// Machines that run at different times may have it in common: see Space.
func (p *Plan) Shared() int { return 4*p.floats.size + 8*p.ints.size }

// Own is the room for leaves and outputs that are not bound, in bytes.
func (p *Plan) Own() int {
	n := 0
	for _, s := range p.stores {
		if s.pinned && !s.isSet {
			n += s.bytes()
		}
	}
	return n
}

func (s *store) bytes() int {
	if s.ints {
		return 8 * s.len
	}
	return 4 * s.len
}

// add plans the computation of n, which has an operation.
func (p *Plan) add(n *G.Node, bind map[*G.Node]op.Buffer) error {
	o, ok := n.Op().(*op.Op)
	if !ok {
		return fmt.Errorf("node %q: operation %s is not one of package op", n.Name(), n.Op())
	}
	step := planned{node: n, op: o}
	if o.Alias {
		bound, isBound := bind[n]
		at := p.at[children(n)[0]]
		root := &p.stores[at]
		switch {
		case !isBound || root.isSet && sameStorage(root.bound, bound):
			p.at[n] = at
			return nil
		case !root.leaf && !root.isSet && root.len == size(n.Shape()):
			if err := checkBound(n, bound); err != nil {
				return err
			}
			root.bound, root.isSet, root.pinned = bound, true, true
			p.at[n] = at
			return nil
		}
		step.copies = true
	}
	return p.addStep(step, children(n), n, bind)
}

// addStep adds a step that computes n from in.
func (p *Plan) addStep(step planned, in G.Nodes, n *G.Node, bind map[*G.Node]op.Buffer) error {
	for _, x := range in {
		step.in = append(step.in, p.find(x))
		step.lens = append(step.lens, size(x.Shape()))
	}
	var err error
	step.out, err = p.newStore(n, bind)
	p.steps = append(p.steps, step)
	return err
}

// find is the store of n. An alias of a value that exists may not have been
// added yet.
func (p *Plan) find(n *G.Node) int {
	if at, ok := p.at[n]; ok {
		return at
	}
	return p.find(children(n)[0])
}

// newStore makes a store for n.
func (p *Plan) newStore(n *G.Node, bind map[*G.Node]op.Buffer) (int, error) {
	bound, isBound := bind[n]
	s := store{len: size(n.Shape()), bound: bound, isSet: isBound, pinned: isBound, ints: n.Dtype() == tensor.Int64}
	if !s.ints && n.Dtype() != tensor.Float32 {
		return 0, fmt.Errorf("node %q: no storage for elements of %v", n.Name(), n.Dtype())
	}
	if isBound {
		if err := checkBound(n, bound); err != nil {
			return 0, err
		}
	}
	if n.Op() == nil {
		s.leaf, s.pinned = true, true
	}
	p.stores = append(p.stores, s)
	p.at[n] = len(p.stores) - 1
	return p.at[n], nil
}

// checkBound returns an error unless b can hold the value of n.
func checkBound(n *G.Node, b op.Buffer) error {
	want := size(n.Shape())
	if b.Len() != want || want > 0 && (n.Dtype() == tensor.Int64) != (b.I != nil) {
		return fmt.Errorf("node %q: bound to %d float32 and %d int64, want %d of %v", n.Name(), len(b.F), len(b.I), want, n.Dtype())
	}
	return nil
}

func (p *Plan) findLastUses() {
	for i, step := range p.steps {
		p.stores[step.out].last = i
		for _, in := range step.in {
			p.stores[in].last = i
		}
	}
	for i := range p.stores {
		if p.stores[i].pinned {
			p.stores[i].last = forever
		}
	}
}

// assign walks through the steps as a run would and hands out the arenas.
func (p *Plan) assign() {
	p.findLastUses()
	p.makeRoom()
	p.floats, p.ints = arena{}, arena{}
	for i := range p.steps {
		step := &p.steps[i]
		out := &p.stores[step.out]
		taken := -1
		if !out.pinned {
			if taken = p.overwrites(i); taken >= 0 && p.stores[taken].span.len >= out.room {
				out.span = p.stores[taken].span
			} else {
				taken = -1
				out.span = p.arena(out).take(out.room)
			}
		}
		step.scratch = p.floats.take(step.op.Scratch)
		p.floats.give(step.scratch)
		for k, in := range step.in {
			s := &p.stores[in]
			if s.last == i && in != taken && !slices.Contains(step.in[:k], in) {
				p.arena(s).give(s.span)
			}
		}
		if out.last == i {
			p.arena(out).give(out.span)
		}
	}
}

// makeRoom gives values as much room as results need that overwrite them and are
// not much larger. Such a result may be overwritten itself.
func (p *Plan) makeRoom() {
	for i := range p.stores {
		p.stores[i].room = p.stores[i].len
	}
	for i := range slices.Backward(p.steps) {
		if taken := p.overwrites(i); taken >= 0 {
			old, room := &p.stores[taken], p.stores[p.steps[i].out].room
			if room-old.len <= old.len/8 {
				old.room = max(old.room, room)
			}
		}
	}
}

// overwrites is the store that step i may overwrite with its result, if there is
// room, or -1. Its value must not be needed again, nor be read by the step as
// another input too.
func (p *Plan) overwrites(i int) int {
	step := p.steps[i]
	k := int(step.op.InPlace - op.First)
	if step.copies || k < 0 || k >= len(step.in) {
		return -1
	}
	out, old := p.stores[step.out], p.stores[step.in[k]]
	if out.pinned || old.last != i || old.ints != out.ints {
		return -1
	}
	for j, in := range step.in {
		if j != k && in == step.in[k] {
			return -1
		}
	}
	return step.in[k]
}

func (p *Plan) arena(s *store) *arena {
	if s.ints {
		return &p.ints
	}
	return &p.floats
}

// size is the number of elements of a shape; a scalar has one.
func size(shape tensor.Shape) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func sortByID(nodes []*G.Node) {
	slices.SortFunc(nodes, func(a, b *G.Node) int { return cmp.Compare(a.ID(), b.ID()) })
}

func sameStorage(a, b op.Buffer) bool {
	if len(a.F) != len(b.F) || len(a.I) != len(b.I) {
		return false
	}
	return (len(a.F) == 0 || &a.F[0] == &b.F[0]) && (len(a.I) == 0 || &a.I[0] == &b.I[0])
}
