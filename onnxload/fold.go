package onnxload

import (
	"cmp"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// evaluate computes nodes of a graph from its bound leaves, one operation after
// the other. It is for small work while loading: constants, and the check of a
// lifted graph. Package engine is what trains.
//
// It does not panic, whatever an operation does, and refuses to allocate more
// than maxEvaluated elements at a time.
func evaluate(bind map[*G.Node]op.Buffer, want ...*G.Node) (out []op.Buffer, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("internal error: %v", r)
		}
	}()
	order, uses := schedule(want)
	have := map[*G.Node]op.Buffer{}
	release := func(n *G.Node) {
		if uses[n]--; uses[n] == 0 {
			delete(have, n)
		}
	}
	for _, n := range order {
		if b, ok := bind[n]; ok {
			have[n] = b
			continue
		}
		o, ok := n.Op().(*op.Op)
		if !ok {
			return nil, fmt.Errorf("%s has no value", n.Name())
		}
		if size := max(o.Shape.TotalSize(), o.Scratch); size > maxEvaluated {
			return nil, fmt.Errorf("%s of shape %v needs %d elements at once, more than %d", o.Name, o.Shape, size, maxEvaluated)
		}
		in := children(n)
		c := op.Call{Scratch: make([]float32, o.Scratch)}
		for _, k := range in {
			c.In = append(c.In, have[k])
		}
		if o.Alias {
			have[n] = c.In[0].First(o.Shape.TotalSize())
		} else {
			c.Out = op.NewBuffer(o.Dtype, o.Shape.TotalSize())
			if err := o.Run(&c); err != nil {
				return nil, err
			}
			have[n] = c.Out
		}
		for _, k := range in {
			release(k)
		}
	}
	out = make([]op.Buffer, len(want))
	for i, n := range want {
		out[i] = have[n]
	}
	return out, nil
}

// maxEvaluated is 1 GiB of float32.
const maxEvaluated = 1 << 28

// schedule is the nodes that want depends on, inputs before users, and how
// often each is used. Gorgonia numbers nodes in the order they are made.
func schedule(want []*G.Node) (order []*G.Node, uses map[*G.Node]int) {
	uses = map[*G.Node]int{}
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if uses[n]++; uses[n] > 1 {
			return
		}
		order = append(order, n)
		for _, k := range children(n) {
			visit(k)
		}
	}
	for _, n := range want {
		visit(n)
	}
	slices.SortFunc(order, func(a, b *G.Node) int { return cmp.Compare(a.ID(), b.ID()) })
	return order, uses
}

// children is the inputs of a node, in order.
func children(n *G.Node) []*G.Node {
	var out []*G.Node
	for it := n.Graph().From(n.ID()); it.Next(); {
		out = append(out, it.Node().(*G.Node))
	}
	return out
}
