package engine

import (
	"cmp"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

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

func sortByID(nodes []*G.Node) {
	slices.SortFunc(nodes, func(a, b *G.Node) int { return cmp.Compare(a.ID(), b.ID()) })
}
