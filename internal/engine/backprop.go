package engine

import (
	"fmt"
	"slices"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Backprop extends the graph of cost by the nodes that compute its gradient
// with respect to each node of wrt, by reverse accumulation: the nodes between
// cost and wrt are visited from last to first, each hands its gradient to its
// inputs through its SymDiff, and what arrives at a node over several paths is
// added up (Griewank and Walther, Evaluating Derivatives, 2008, chapter 3).
//
// cost is a float32 scalar. The result has the length of wrt, an entry the
// shape of its node, nil where cost does not depend on it through
// differentiable operations. The entries are distinct nodes, so that each can
// be bound to storage of its own. Only what leads to wrt is differentiated:
// weights that are frozen cost nothing.
//
// gorgonia.Grad does the same for graphs in which every input has a gradient.
// It panics on inputs that have none, differentiates frozen weights, gives wrong
// gradients when called a second time on a graph, and is not safe for use on
// two graphs at once.
func Backprop(cost *G.Node, wrt []*G.Node) ([]*G.Node, error) {
	if cost.Dtype() != tensor.Float32 || cost.Shape().Dims() != 0 {
		return nil, fmt.Errorf("gradient of %s: it is %v of shape %v, want a float32 scalar", cost.Name(), cost.Dtype(), cost.Shape())
	}
	order, err := executionOrder([]*G.Node{cost})
	if err != nil {
		return nil, err
	}
	active := leadsTo(order, wrt)
	if !active[cost] {
		return make([]*G.Node, len(wrt)), nil
	}

	terms := map[*G.Node]G.Nodes{cost: {seed(cost)}} // gradients that have arrived
	total := map[*G.Node]*G.Node{}
	for _, n := range slices.Backward(order) {
		if !active[n] || len(terms[n]) == 0 {
			continue
		}
		if total[n], err = accumulate(n, terms[n]); err != nil {
			return nil, err
		}
		if n.Op() != nil {
			if err := differentiate(n, total[n], active, terms); err != nil {
				return nil, fmt.Errorf("gradient of node %q (%s): %w", n.Name(), n.Op(), err)
			}
		}
	}

	grads := make([]*G.Node, len(wrt))
	for i, n := range wrt {
		g := total[n]
		if g != nil && (g.Op() == nil || slices.Contains(grads[:i], g)) {
			if g, err = op.Reshape(g, n.Shape()...); err != nil {
				return nil, fmt.Errorf("gradient of %q: %w", n.Name(), err)
			}
		}
		grads[i] = g
	}
	return grads, nil
}

// leadsTo marks the nodes that depend on wrt by a differentiable path.
func leadsTo(order, wrt []*G.Node) map[*G.Node]bool {
	active := map[*G.Node]bool{}
	for _, n := range order {
		if slices.Contains(wrt, n) {
			active[n] = true
			continue
		}
		diff, in := wantsGradient(n), children(n)
		for i := range diff {
			if diff[i] && active[in[i]] {
				active[n] = true
			}
		}
	}
	return active
}

// wantsGradient is which inputs of n its operation has a gradient for.
func wantsGradient(n *G.Node) []bool {
	if d, ok := n.Op().(G.SDOp); ok {
		return d.DiffWRT(len(children(n)))
	}
	return nil
}

// seed is the gradient of cost with respect to itself: a leaf that holds 1. It
// is no gorgonia constant, because those are merged across dtypes, and its name
// is new, because leaves of one name are merged as well.
func seed(cost *G.Node) *G.Node {
	g := cost.Graph()
	name := fmt.Sprintf("gradient of #%d", cost.ID())
	for len(g.ByName(name)) > 0 {
		name += "'"
	}
	n := op.Input(g, name, tensor.Float32)
	if err := G.UnsafeLet(n, float32(1)); err != nil {
		panic("engine: seed: " + err.Error())
	}
	return n
}

// accumulate adds up the gradients that arrived at n.
func accumulate(n *G.Node, terms G.Nodes) (*G.Node, error) {
	if len(terms) == 1 {
		return terms[0], nil
	}
	sum, err := op.Sum(terms...)
	if err != nil {
		return nil, fmt.Errorf("gradient of %q: %w", n.Name(), err)
	}
	G.WithName("gradient of " + n.Name())(sum)
	return sum, nil
}

// differentiate hands the gradient g of n on to n's inputs.
func differentiate(n, g *G.Node, active map[*G.Node]bool, terms map[*G.Node]G.Nodes) error {
	graph, in, diff := n.Graph(), children(n), wantsGradient(n)
	before := len(graph.AllNodes())
	grads, err := n.Op().(G.SDOp).SymDiff(in, n, g)
	if err != nil {
		return err
	}
	// Gorgonia's default names list node numbers; an error in a backward
	// operation should name the layer.
	for _, made := range graph.AllNodes()[before:] {
		if made.Op() != nil {
			G.WithName("gradient of " + n.Name())(made)
		}
	}
	if len(grads) != len(in) {
		return fmt.Errorf("%d gradients for %d inputs", len(grads), len(in))
	}
	for i, x := range in {
		if !diff[i] || !active[x] {
			continue
		}
		if grads[i] == nil {
			return fmt.Errorf("no gradient for input %d", i)
		}
		if got, want := grads[i].Shape(), x.Shape(); !slices.Equal(got, want) {
			return fmt.Errorf("gradient of input %d has shape %v, want %v", i, got, want)
		}
		terms[x] = append(terms[x], grads[i])
	}
	return nil
}
