package onnxload

import (
	"fmt"
	"slices"
	"strings"

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

var treeModes = []string{"LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER"}

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

// TreeEnsemble: trees that begin at attribute tree_roots. A node compares a feature
// with a split, or looks it up in a set, and leads to a node or a leaf; the leaves
// that an example comes to are summed up, or what aggregate_function says.
// https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html, opset 5.
func lowerTreeEnsemble(c *call) ([]*value, error) {
	splits, modes, weights := c.Attrs.Tensor("nodes_splits"), c.Attrs.Tensor("nodes_modes"), c.Attrs.Tensor("leaf_weights")
	if splits == nil || modes == nil || weights == nil {
		return nil, fmt.Errorf("nodes_splits, nodes_modes or leaf_weights is missing")
	}
	ints := func(name string) []int { return c.Attrs.Ints(name, nil) }
	features, targets, missing := ints("nodes_featureids"), ints("leaf_targetids"), ints("nodes_missing_value_tracks_true")
	yes, no, yesLeaf, noLeaf := ints("nodes_truenodeids"), ints("nodes_falsenodeids"), ints("nodes_trueleafs"), ints("nodes_falseleafs")
	n := len(splits.F)
	for _, list := range [][]int{features, yes, no, yesLeaf, noLeaf} {
		if len(list) != n || len(modes.I) != n || len(targets) != len(weights.F) {
			return nil, fmt.Errorf("lists of %d nodes and %d leaves differ in length", n, len(weights.F))
		}
	}
	f := &forest{roots: ints("tree_roots"), targets: c.Attrs.Int("n_targets", 1)}
	if k := c.Attrs.Int("aggregate_function", 1); k >= 0 && k < 4 {
		f.aggregate = []string{"AVERAGE", "SUM", "MIN", "MAX"}[k]
	}
	var sets [][]float32
	if t := c.Attrs.Tensor("membership_values"); t != nil {
		sets = [][]float32{{}}
		for _, v := range t.F {
			if v != v {
				sets = append(sets, []float32{})
			} else {
				sets[len(sets)-1] = append(sets[len(sets)-1], v)
			}
		}
	}
	for i := range n {
		node := treeNode{feature: features[i], value: splits.F[i], yes: yes[i], no: no[i]}
		if m := modes.I[i]; m >= 0 && int(m) < len(treeModes) {
			node.mode = treeModes[m]
		}
		if node.mode == "MEMBER" && len(sets) > 0 {
			node.set, sets = sets[0], sets[1:]
		}
		if yesLeaf[i] != 0 {
			node.yes += n // leaves come behind
		}
		if noLeaf[i] != 0 {
			node.no += n
		}
		node.missing = i < len(missing) && missing[i] != 0
		f.nodes = append(f.nodes, node)
	}
	for i, w := range weights.F {
		f.nodes = append(f.nodes, treeNode{mode: "LEAF", gives: []vote{{targets[i], w}}})
	}
	x, err := c.evaluate(f)
	if err != nil {
		return nil, err
	}
	v, err := c.through([]string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}[min(max(c.Attrs.Int("post_transform", 0), 0), 4)], x)
	if err != nil {
		return nil, err
	}
	v.dtype = c.in[0].dtype
	return []*value{v}, nil
}

// listedForest is the trees of the older operators, whose leaves vote as the lists
// that begin with kind, "class" or "target", say.
func (c *call) listedForest(kind string) (*forest, error) {
	ints := func(name string) []int { return c.Attrs.Ints(name, nil) }
	trees, ids, features, modes := ints("nodes_treeids"), ints("nodes_nodeids"), ints("nodes_featureids"), c.Attrs.Strings("nodes_modes", nil)
	yes, no, missing := ints("nodes_truenodeids"), ints("nodes_falsenodeids"), ints("nodes_missing_value_tracks_true")
	values := c.floatList("nodes_values")
	n := len(modes)
	for _, length := range []int{len(trees), len(ids), len(features), len(yes), len(no), len(values)} {
		if length != n {
			return nil, fmt.Errorf("the lists of nodes have %d and %d entries", length, n)
		}
	}
	type key struct{ tree, node int }
	at := map[key]int{}
	f := &forest{base: c.floatList("base_values"), aggregate: c.Attrs.String("aggregate_function", "SUM")}
	for i := range n {
		k := key{trees[i], ids[i]}
		if _, ok := at[k]; ok {
			return nil, fmt.Errorf("node %d of tree %d is there twice", k.node, k.tree)
		}
		at[k] = i
	}
	child := make([]bool, n)
	find := func(tree, node int) int {
		i, ok := at[key{tree, node}]
		if !ok {
			return -1
		}
		child[i] = true
		return i
	}
	for i := range n {
		node := treeNode{feature: features[i], value: values[i], mode: strings.TrimPrefix(modes[i], "BRANCH_")}
		node.missing = i < len(missing) && missing[i] != 0
		if node.mode != "LEAF" {
			node.yes, node.no = find(trees[i], yes[i]), find(trees[i], no[i])
		}
		f.nodes = append(f.nodes, node)
	}
	for i := range n {
		if !child[i] {
			f.roots = append(f.roots, i)
		}
	}
	leafTrees, leafNodes, targets, weights := ints(kind+"_treeids"), ints(kind+"_nodeids"), ints(kind+"_ids"), c.floatList(kind+"_weights")
	if len(leafTrees) != len(weights) || len(leafNodes) != len(weights) || len(targets) != len(weights) {
		return nil, fmt.Errorf("the lists of leaves differ in length")
	}
	for i, w := range weights {
		leaf, ok := at[key{leafTrees[i], leafNodes[i]}]
		if !ok {
			return nil, fmt.Errorf("there is no node %d of tree %d", leafNodes[i], leafTrees[i])
		}
		f.nodes[leaf].gives = append(f.nodes[leaf].gives, vote{targets[i], w})
		f.targets = max(f.targets, targets[i]+1)
	}
	return f, nil
}

// floatList is an attribute of numbers, as a list or as a tensor.
func (c *call) floatList(name string) []float32 {
	if t := c.Attrs.Tensor(name + "_as_tensor"); t != nil {
		return t.F
	}
	return c.Attrs.Floats(name, nil)
}

// TreeEnsembleRegressor: what the leaves of all trees give to n_targets targets; see
// TreeEnsemble.
// https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
func lowerTreeEnsembleRegressor(c *call) ([]*value, error) {
	f, err := c.listedForest("target")
	if err != nil {
		return nil, err
	}
	f.targets = max(f.targets, c.Attrs.Int("n_targets", 1))
	x, err := c.evaluate(f)
	if err != nil {
		return nil, err
	}
	v, err := c.transformed(x)
	return []*value{v}, err
}

// TreeEnsembleClassifier: the class that the leaves of all trees give most, and what
// they give to each; see TreeEnsemble. If all vote for one of two classes, that is
// the second, and the first has the rest to 1, or the opposite where weights may be
// negative.
// https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html
func lowerTreeEnsembleClassifier(c *call) ([]*value, error) {
	f, err := c.listedForest("class")
	if err != nil {
		return nil, err
	}
	classes := c.classes()
	ids := c.Attrs.Ints("class_ids", nil)
	one := classes == 2 && !slices.ContainsFunc(ids, func(id int) bool { return id != ids[0] })
	if !one {
		f.targets = max(f.targets, classes)
		x, err := c.evaluate(f)
		if err != nil {
			return nil, err
		}
		return c.classified(x)
	}
	for i := range f.nodes {
		for k := range f.nodes[i].gives {
			f.nodes[i].gives[k].target = 0
		}
	}
	f.targets = 1
	x, err := c.evaluate(f)
	if err != nil {
		return nil, err
	}
	var calc formula
	first := calc.mapped(op.Neg, x)
	if !slices.ContainsFunc(c.floatList("class_weights"), func(w float32) bool { return w < 0 }) {
		first = calc.add(first, c.constant(nil, 1))
	}
	if x = calc.concat(1, first, x); calc.err != nil {
		return nil, calc.err
	}
	return c.classified(x)
}
