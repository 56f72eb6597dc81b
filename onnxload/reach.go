package onnxload

import (
	"cmp"
	"slices"

	"finetune/optim"
)

// Reach says how far a parameter gets: which outputs of the model a gradient can
// come from, and where else its ways end.
type Reach struct {
	Param   *optim.Param
	Outputs []string      // with a differentiable path to the parameter, in the order of Model.Outputs
	Stops   []Unsupported // nodes on other paths that hand no gradient on, or that cannot be lowered, in execution order
}

// Reaches follows every parameter of the model forward along the signatures of
// the operators. It needs no sizes, so it says something of models that cannot be
// lowered; it does not see what depends on values, such as a mask of zeros.
func (m *Model) Reaches() []Reach {
	readers := newUses(m).readers
	inner := map[string][]*Node{} // nodes whose subgraphs read a value
	for _, n := range m.Nodes {
		for _, name := range n.Captures {
			inner[name] = append(inner[name], n)
		}
	}
	top, at := map[*Node]bool{}, map[string]int{}
	for i, n := range m.Nodes {
		top[n], at[n.Name] = true, i
	}
	needed := m.needed()
	var list []Reach
	for _, p := range m.Params {
		r := Reach{Param: p}
		seen, todo := map[string]bool{p.Name: true}, []string{p.Name}
		stopped := map[*Node]bool{}
		pass := func(n *Node) {
			for _, out := range n.Outputs {
				if out != "" && !seen[out] {
					seen[out] = true
					todo = append(todo, out)
				}
			}
		}
		for len(todo) > 0 {
			name := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, use := range readers[name] {
				n := use.node
				if !top[n] || !needed[n] || n.Domain == "" && slices.Contains(sizeless, n.Op) {
					continue // of a node in a subgraph the one around it counts
				}
				if reason := n.stops(use.slot); reason == "" {
					pass(n)
				} else if !stopped[n] {
					stopped[n] = true
					r.Stops = append(r.Stops, n.because(reason))
				}
			}
			for _, n := range inner[name] {
				pass(n)
			}
		}
		slices.SortStableFunc(r.Stops, func(a, b Unsupported) int { return cmp.Compare(at[a.Node], at[b.Node]) })
		for _, out := range m.Outputs {
			if seen[out.Name] {
				r.Outputs = append(r.Outputs, out.Name)
			}
		}
		list = append(list, r)
	}
	return list
}

// sizeless are the operators that look at the size of what they read only.
var sizeless = []string{"Shape", "Size", "ConstantOfShape", "EyeLike"}

// stops says why no gradient gets from the results of a node to input slot; "" if
// one does.
func (n *Node) stops(slot int) string {
	if reason := n.unsupported(); reason != "" {
		return reason
	}
	inputs := domains[n.Domain].operators[n.Op].in.inputs()
	switch {
	case n.Op == "Cast":
		if to, ok := DTypeOf(n.Attrs.Int("to", 0)); ok && !to.IsFloat() {
			return "it makes whole numbers, which have no gradient"
		}
		return ""
	case len(inputs) > 0 && inputs.at(slot).Gradient:
		return ""
	}
	return "it has no gradient"
}

// StraightThrough reports whether the gradient of the operator is not its
// derivative, on purpose: rounding to a few bits hands it on as if there were none.
func (n *Node) StraightThrough() bool {
	return n.Domain == "" && (n.Op == "QuantizeLinear" || n.Op == "DequantizeLinear")
}
