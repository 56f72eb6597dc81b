package onnxload

import (
	"fmt"
	"slices"
	"strings"

	"finetune/internal/op"
)

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
