package engine

import (
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

// size is the number of elements of a shape; a scalar has one.
func size(shape tensor.Shape) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func sameStorage(a, b op.Buffer) bool {
	if len(a.F) != len(b.F) || len(a.I) != len(b.I) {
		return false
	}
	return (len(a.F) == 0 || &a.F[0] == &b.F[0]) && (len(a.I) == 0 || &a.I[0] == &b.I[0])
}
