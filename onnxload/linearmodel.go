package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// LinearClassifier and LinearRegressor hold their weights in attributes. When a
// file is read these become tensors, named after the node, and inputs of it, so that
// they are parameters like others: trained, and written back where they came from.
var linearAttrs = []string{"coefficients", "intercepts"}

// readLinear makes tensors of the weights of linear models among the nodes.
func (m *Model) readLinear() {
	for _, n := range m.Nodes {
		if !n.linear() || n.Index >= len(m.Proto.Graph.Node) || m.Proto.Graph.Node[n.Index].GetOpType() != n.Op {
			continue // in a function, whose attributes the calls share
		}
		weights, rows := n.linearWeights()
		if weights == nil {
			continue
		}
		for _, attr := range linearAttrs {
			list := n.Attrs.Floats(attr, nil)
			if len(list) == 0 {
				continue
			}
			t := &Tensor{Name: n.Name + "/" + attr, DType: Float32, F: list, At: Origin{Node: n.Index, Attr: attr}}
			if t.Shape = []int{rows}; attr == "coefficients" {
				t.Shape = []int{rows, len(list) / rows}
			}
			if m.Tensors[t.Name] != nil {
				continue
			}
			m.Tensors[t.Name] = t
			n.Inputs = append(slices.Clone(n.Inputs), t.Name)
		}
	}
}

func (n *Node) linear() bool {
	return n.Domain == mlDomain && (n.Op == "LinearClassifier" || n.Op == "LinearRegressor") && len(n.Inputs) == 1
}

// linearWeights is the coefficients, and in how many rows they are: one a score.
// nil if they make no matrix.
func (n *Node) linearWeights() (weights []float32, rows int) {
	weights = n.Attrs.Floats("coefficients", nil)
	switch intercepts := n.Attrs.Floats("intercepts", nil); {
	case len(intercepts) > 0:
		rows = len(intercepts)
	case n.Op == "LinearRegressor":
		rows = n.Attrs.Int("targets", 1)
	default:
		rows = max(len(n.Attrs.Ints("classlabels_ints", nil)), len(n.Attrs.Strings("classlabels_strings", nil)))
	}
	if rows < 1 || len(weights) == 0 || len(weights)%rows != 0 {
		return nil, 0
	}
	return weights, rows
}

// LinearRegressor: X·coefficientsᵀ + intercepts, a row of scores an example, and
// post_transform of that; see scores.
// https://onnx.ai/onnx/operators/onnx_aionnxml_LinearRegressor.html
func lowerLinearRegressor(c *call) ([]*value, error) {
	x, err := c.linearScores()
	if err != nil {
		return nil, err
	}
	v, err := c.transformed(x)
	return []*value{v}, err
}

// LinearClassifier: the class of the largest score, and scores as for
// LinearRegressor. With one score for two classes it is that of the second, which
// wins where it is positive, and the first has the rest to 1. Classes that are
// strings are their numbers here.
// https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html
func lowerLinearClassifier(c *call) ([]*value, error) {
	x, err := c.linearScores()
	if err != nil {
		return nil, err
	}
	if s := x.Shape(); s[1] != 1 || c.classes() != 2 {
		return c.classified(x)
	}
	var f formula
	opposite := f.mapped(op.Neg, x)
	if f.err != nil {
		return nil, f.err
	}
	if c.Attrs.String("post_transform", "NONE") == "LOGISTIC" {
		return c.classified(f.concat(1, opposite, x))
	}
	// As ONNX Runtime has it, without a softmax too.
	label, err := c.label(f.concat(1, opposite, x))
	if err != nil {
		return nil, err
	}
	scores := f.concat(1, f.add(opposite, c.constant(nil, 1)), x)
	return []*value{label, c.value(Float32, scores)}, f.err
}

// linearScores is X·coefficientsᵀ + intercepts.
func (c *call) linearScores() (*G.Node, error) {
	if c.rank(0) != 1 && c.rank(0) != 2 {
		return nil, fmt.Errorf("input has shape %v, want (C) or (N, C)", c.shape(0))
	}
	x, err := c.floatInput(0)
	if err != nil {
		return nil, err
	}
	var f formula
	if c.rank(0) == 1 {
		x = f.reshape(x, 1, c.shape(0)[0])
	}
	var w, b *G.Node
	if c.has(1) {
		if c.rank(1) != 2 {
			return nil, fmt.Errorf("coefficients have shape %v, want rank 2", c.shape(1))
		}
		w = c.node(1)
		if c.has(2) {
			b = c.node(2)
		}
	} else {
		list, rows := c.linearWeights()
		if list == nil {
			return nil, fmt.Errorf("coefficients are missing or make no matrix")
		}
		w = c.constant([]int{rows, len(list) / rows}, list...)
		if list = c.Attrs.Floats("intercepts", nil); len(list) > 0 {
			b = c.constant([]int{rows}, list...)
		}
	}
	x = f.matmul(x, w, false, true)
	if b != nil {
		x = f.add(x, b)
	}
	return x, f.err
}

// labels are the classes that are numbers.
func (c *call) labels() []int {
	return c.Attrs.Ints("classlabels_ints", c.Attrs.Ints("classlabels_int64s", nil))
}

// classes is how many classes there are.
func (c *call) classes() int {
	return max(len(c.labels()), len(c.Attrs.Strings("classlabels_strings", nil)))
}

// classified is the labels and the scores of a classifier whose raw scores are x
// (N, classes).
func (c *call) classified(x *G.Node) ([]*value, error) {
	label, err := c.label(x)
	if err != nil {
		return nil, err
	}
	scores, err := c.transformed(x)
	return []*value{label, scores}, err
}

// label is the class of the largest score.
func (c *call) label(x *G.Node) (*value, error) {
	if n := c.classes(); n > 0 && x.Shape()[1] != n {
		return nil, fmt.Errorf("%d scores for %d classes", x.Shape()[1], n)
	}
	label, err := op.ArgMax(x, 1, false, false)
	if list := c.labels(); err == nil && len(list) > 0 {
		label, err = op.Gather(c.constantInts([]int{len(list)}, toInts64(list)), label, 0)
	}
	if err != nil {
		return nil, err
	}
	return c.value(Int64, label), nil
}

// transformed is scores through attribute post_transform: NONE, SOFTMAX or
// LOGISTIC, the sigmoid. They are trained through what is before that.
func (c *call) transformed(x *G.Node) (*value, error) {
	return c.through(c.Attrs.String("post_transform", "NONE"), x)
}

func (c *call) through(kind string, x *G.Node) (*value, error) {
	h := &head{logits: x, axis: -1}
	y, err := x, error(nil)
	switch kind {
	case "NONE":
		return c.value(Float32, x), nil
	case "SOFTMAX":
		s := x.Shape()
		h.kind, h.shape, h.axis, h.group, h.after = "softmax", []int{s[0], s[1]}, 1, s[1], 1
		y, err = op.Softmax(x, 1)
	case "LOGISTIC":
		h.kind = "sigmoid"
		y, err = op.Sigmoid(x)
	default:
		return nil, unsupported(c.Node, fmt.Sprintf("post_transform %s is not supported", kind))
	}
	if err != nil {
		return nil, err
	}
	v := c.value(Float32, y)
	if !c.fold {
		v.head = h
	}
	return v, nil
}
