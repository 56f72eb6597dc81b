package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/op"
)

// forest is decision trees that are evaluated together. No gradient flows through
// them, and their numbers are not trained.
type forest struct {
	nodes     []treeNode
	roots     []int
	targets   int
	aggregate string    // SUM, AVERAGE, MIN or MAX of what trees give to a target
	base      []float32 // added to each target; nil for nothing
}

// treeNode is a question about a feature, or the end of a path.
type treeNode struct {
	feature int
	mode    string // LEQ, LT, GTE, GT, EQ, NEQ or MEMBER; LEAF at the end
	value   float32
	set     []float32 // of MEMBER
	yes, no int       // nodes
	missing bool      // NaN goes the way of yes
	gives   []vote    // of a leaf
}

// treeModes are the questions, as TreeEnsemble numbers them.
var treeModes = []string{"LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER"}

// vote is what a leaf gives to a target.
type vote struct {
	target int
	weight float32
}

// goesYes is the answer of a node.
func (n *treeNode) goesYes(x float32) bool {
	if x != x && n.missing {
		return true
	}
	switch n.mode {
	case "LEQ":
		return x <= n.value
	case "LT":
		return x < n.value
	case "GTE":
		return x >= n.value
	case "GT":
		return x > n.value
	case "EQ":
		return x == n.value
	case "NEQ":
		return x != n.value
	}
	return slices.Contains(n.set, x)
}

// check holds the numbers of nodes, features and targets to what there is.
func (f *forest) check(features int) error {
	for _, r := range f.roots {
		if r < 0 || r >= len(f.nodes) {
			return fmt.Errorf("there is no node %d of a tree", r)
		}
	}
	for i, n := range f.nodes {
		switch {
		case n.mode == "LEAF":
		case !slices.Contains(treeModes, n.mode):
			return fmt.Errorf("node %d of a tree has mode %q", i, n.mode)
		case n.feature < 0 || n.feature >= features:
			return fmt.Errorf("node %d of a tree asks for feature %d of %d", i, n.feature, features)
		case n.yes < 0 || n.yes >= len(f.nodes) || n.no < 0 || n.no >= len(f.nodes):
			return fmt.Errorf("node %d of a tree leads to nodes %d and %d of %d", i, n.yes, n.no, len(f.nodes))
		}
		for _, v := range n.gives {
			if v.target < 0 || v.target >= f.targets {
				return fmt.Errorf("node %d of a tree votes for %d of %d", i, v.target, f.targets)
			}
		}
	}
	if !slices.Contains([]string{"SUM", "AVERAGE", "MIN", "MAX"}, f.aggregate) {
		return fmt.Errorf("aggregate_function %q is none of SUM, AVERAGE, MIN, MAX", f.aggregate)
	}
	if f.base != nil && len(f.base) != f.targets && len(f.base) != 1 {
		return fmt.Errorf("%d base values for %d targets", len(f.base), f.targets)
	}
	return nil
}

// row computes the targets of an example.
func (f *forest) row(out, x []float32) error {
	clear(out)
	voted := make([]bool, len(out))
	for _, at := range f.roots {
		for steps := 0; f.nodes[at].mode != "LEAF"; steps++ {
			n := &f.nodes[at]
			if at = n.no; n.goesYes(x[n.feature]) {
				at = n.yes
			}
			if steps > len(f.nodes) {
				return fmt.Errorf("a tree runs in a circle at node %d", at)
			}
		}
		for _, v := range f.nodes[at].gives {
			switch {
			case f.aggregate == "MIN" && voted[v.target]:
				out[v.target] = min(out[v.target], v.weight)
			case f.aggregate == "MAX" && voted[v.target]:
				out[v.target] = max(out[v.target], v.weight)
			default:
				out[v.target] += v.weight
			}
			voted[v.target] = true
		}
	}
	for i := range out {
		if f.aggregate == "AVERAGE" {
			out[i] /= float32(len(f.roots))
		}
		if f.base != nil {
			out[i] += f.base[min(i, len(f.base)-1)]
		}
	}
	return nil
}

// evaluate is the targets of the trees for each row of input 0.
func (c *call) evaluate(f *forest) (*G.Node, error) {
	if c.rank(0) != 1 && c.rank(0) != 2 {
		return nil, fmt.Errorf("input has shape %v, want (C) or (N, C)", c.shape(0))
	}
	x, err := c.floatInput(0)
	if err != nil {
		return nil, err
	}
	features := c.features()
	if err := f.check(features); err != nil {
		return nil, err
	}
	rows := 1
	if c.rank(0) > 1 {
		rows = c.shape(0)[0]
	}
	return op.Compute(c.Op, []int{rows, f.targets}, tensor.Float32, func(k *op.Call) error {
		for i := range rows {
			if err := f.row(k.Out.F[i*f.targets:(i+1)*f.targets], k.In[0].F[i*features:(i+1)*features]); err != nil {
				return err
			}
		}
		return nil
	}, x)
}
