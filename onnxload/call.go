package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/op"
)

// call is one ONNX node while it is lowered: what its lowering function reads.
type call struct {
	*Node
	l     *lowering
	in    []*value // nil for an optional input that is not given
	rule  *operator
	graph *G.ExprGraph

	// While folding, the graph is a scratch one, these are its leaves, and the
	// results are computed from them at once.
	fold   bool
	leaves map[*value]*G.Node
	bind   map[*G.Node]op.Buffer
}

func (l *lowering) newCall(n *Node) (*call, error) {
	c := &call{Node: n, l: l, rule: domains[n.Domain].operators[n.Op]}
	for i, name := range n.Inputs {
		v, ok := l.scope.find(name)
		if !ok {
			return nil, fmt.Errorf("input %d (%q) has no value", i, name)
		}
		c.in = append(c.in, v)
		if v == nil {
			continue
		}
		if _, ok := v.dtype.storage(); !ok && !(c.rule.names && i == 0 && v.dtype == String) {
			return nil, unsupported(n, fmt.Sprintf("input %d (%q) has element type %s", i, name, v.dtype))
		}
	}
	inputs := c.rule.in.inputs()
	most := inputs.most()
	for len(c.in) > most && c.in[len(c.in)-1] == nil {
		c.in = c.in[:len(c.in)-1]
	}
	if len(c.in) > most {
		return nil, fmt.Errorf("has %d inputs, want at most %d", len(c.in), most)
	}
	for i, in := range inputs {
		if !in.Optional && !c.has(i) {
			return nil, fmt.Errorf("input %d (%s) is missing", i, in.Name)
		}
	}
	c.start()
	return c, nil
}

// start decides whether the node is folded.
func (c *call) start() {
	c.graph = c.l.prog.Graph
	c.fold = !c.rule.random && !c.rule.nested
	for _, v := range c.in {
		c.fold = c.fold && (v == nil || v.known)
	}
	if c.fold {
		c.graph = G.NewGraph()
		c.leaves = map[*value]*G.Node{}
		c.bind = map[*G.Node]op.Buffer{}
	}
}

// lower runs the lowering function and finishes its results.
func (c *call) lower() (results []*value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error: %v", r)
		}
	}()
	results, err = c.rule.lower(c)
	if err != nil {
		return nil, err
	}
	if err := c.Attrs.Err(); err != nil {
		return nil, err
	}
	for i, v := range results {
		if v == nil {
			continue
		}
		if _, err := elements(v.shape); err != nil {
			return nil, err
		}
		if i < len(c.Outputs) && v.name == "" {
			v.name = c.Outputs[i]
		}
		if c.fold && !v.known {
			data, err := evaluate(c.bind, v.node)
			if err != nil {
				return nil, err
			}
			v.known, v.data, v.node = true, data[0], nil
		}
		if v.node != nil {
			c.claim(v.node)
		}
		if c.rule.view && v.head == nil && v.dtype.IsFloat() {
			v.head = c.in[0].head
		}
	}
	return results, nil
}

// claim notes which ONNX node the graph nodes from n down to known ones were
// made for, and names them after it.
func (c *call) claim(n *G.Node) {
	if _, ok := c.l.prog.source[n]; ok {
		return
	}
	c.l.prog.source[n] = source{c.Name, c.Node}
	G.WithName(c.Name)(n)
	for it := c.graph.From(n.ID()); it.Next(); {
		c.claim(it.Node().(*G.Node))
	}
}

// has reports whether input i is given.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil }

// wants reports whether anything uses output i.
func (c *call) wants(i int) bool {
	return i < len(c.Outputs) && c.Outputs[i] != "" && c.l.reads(c.Outputs[i])
}

// node is input i as a graph node; nil when it is not given.
func (c *call) node(i int) *G.Node {
	if !c.has(i) {
		return nil
	}
	return c.nodeOf(c.in[i])
}

func (c *call) nodeOf(v *value) *G.Node {
	if !c.fold {
		return c.l.leaf(v)
	}
	if n := c.leaves[v]; n != nil {
		return n
	}
	dt, _ := v.dtype.storage()
	n := op.Input(c.graph, fmt.Sprint("input ", len(c.leaves)), dt, v.shape...)
	c.leaves[v] = n
	c.bind[n] = v.data
	return n
}

// constant is a leaf with the given elements.
func (c *call) constant(shape []int, data ...float32) *G.Node {
	return c.nodeOf(&value{name: c.Name, dtype: "float32", shape: shape, known: true, data: op.Buffer{F: data}})
}

// constantInts is a leaf with the given elements.
func (c *call) constantInts(shape []int, data []int64) *G.Node {
	return c.nodeOf(&value{name: c.Name, dtype: Int64, shape: shape, known: true, data: op.Buffer{I: data}})
}

// zero is a scalar leaf of 0.
func (c *call) zero(dt DType) *G.Node {
	if dt.IsFloat() {
		return c.constant(nil, 0)
	}
	return c.constantInts(nil, []int64{0})
}

// shape is the shape of input i.
func (c *call) shape(i int) []int { return c.in[i].shape }

// rank is the number of axes of input i.
func (c *call) rank(i int) int { return len(c.in[i].shape) }

// axis is an axis number counted from the end when negative, of 0 to limit − 1.
func axis(a, limit int) (int, error) {
	if a < -limit || a >= limit {
		return 0, fmt.Errorf("axis %d is outside [%d, %d]", a, -limit, limit-1)
	}
	if a < 0 {
		a += limit
	}
	return a, nil
}

// axes resolves axis numbers and rejects repeated ones.
func axes(list []int, limit int) ([]int, error) {
	out := make([]int, len(list))
	for i, a := range list {
		k, err := axis(a, limit)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out[:i], k) {
			return nil, fmt.Errorf("axis %d is given twice", a)
		}
		out[i] = k
	}
	return out, nil
}

// notConstantError is an argument that must be known while lowering and is not.
type notConstantError struct {
	input string // its name
	UnsupportedError
}

func (c *call) notConstant(i int, what string) error {
	reason := fmt.Sprintf("%s (%q) depends on an input or a trained parameter; only a constant is supported", what, c.Inputs[i])
	return &notConstantError{c.Inputs[i], UnsupportedError{Nodes: []Unsupported{c.because(reason)}}}
}

// Unwrap makes it an UnsupportedError to callers.
func (e *notConstantError) Unwrap() error { return &e.UnsupportedError }

// known is input i, which must be a constant of the given storage; what says
// what it is for.
func (c *call) known(i int, dt tensor.Dtype, what string) (op.Buffer, error) {
	v := c.in[i]
	if !v.known {
		return op.Buffer{}, c.notConstant(i, what)
	}
	if have, _ := v.dtype.storage(); have != dt {
		return op.Buffer{}, fmt.Errorf("%s (%q) has element type %s", what, c.Inputs[i], v.dtype)
	}
	return v.data, nil
}

// ints is the elements of input i, a constant list of integers.
func (c *call) ints(i int, what string) ([]int, error) {
	b, err := c.known(i, tensor.Int64, what)
	if err != nil {
		return nil, err
	}
	if c.rank(i) > 1 {
		return nil, fmt.Errorf("%s has rank %d, want 1", what, c.rank(i))
	}
	return toInts(b.I), nil
}

// int is input i, a constant integer.
func (c *call) int(i int, what string) (int, error) {
	b, err := c.known(i, tensor.Int64, what)
	if err != nil {
		return 0, err
	}
	if b.Len() != 1 {
		return 0, fmt.Errorf("%s has %d elements, want 1", what, b.Len())
	}
	return int(b.I[0]), nil
}

// float is input i, a constant of one element.
func (c *call) float(i int, what string) (float32, error) {
	b, err := c.known(i, tensor.Float32, what)
	if err != nil {
		return 0, err
	}
	if b.Len() != 1 {
		return 0, fmt.Errorf("%s has %d elements, want 1", what, b.Len())
	}
	return b.F[0], nil
}

// result is one output of the element type of the first input.
func (c *call) result(n *G.Node, err error) ([]*value, error) {
	return c.resultAs(c.in[0].dtype, n, err)
}

// resultAs is one output of the given element type.
func (c *call) resultAs(dt DType, n *G.Node, err error) ([]*value, error) {
	if err != nil {
		return nil, err
	}
	return []*value{c.value(dt, n)}, nil
}

func (c *call) value(dt DType, n *G.Node) *value {
	return &value{dtype: dt, shape: slices.Clone([]int(n.Shape())), node: n}
}

// same is input i as an output: nothing is computed.
func (c *call) same(i int) []*value { return []*value{c.in[i]} }

// storageOf is the element type of input i in the graph.
func (c *call) storageOf(i int) tensor.Dtype {
	dt, _ := c.in[i].dtype.storage()
	return dt
}

func toInts(list []int64) []int {
	out := make([]int, len(list))
	for i, v := range list {
		out[i] = int(v)
	}
	return out
}
