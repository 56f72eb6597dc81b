package onnxload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// operator is how one ONNX operator becomes operations of package op.
type operator struct {
	lower       func(c *call) ([]*value, error)
	since       int64 // oldest opset whose form is understood
	least, most int   // inputs

	view   bool // changes nothing but shape or element type, so logits show through
	random bool // not to be computed while loading
}

const many = 1 << 30 // inputs of a variadic operator

// operators is every operator of ONNX's own domain that can be lowered. A new
// one is a function beside its relatives, a line here, and a run of
// TestConformance with -update, which finds the ONNX project's tests for it.
var operators = map[string]*operator{
	"Add":                {lower: lowerAdd, since: 1, least: 2, most: 2},
	"AveragePool":        {lower: lowerAveragePool, since: 1, least: 1, most: 1},
	"BatchNormalization": {lower: lowerBatchNormalization, since: 1, least: 5, most: 5},
	"Cast":               {lower: lowerCast, since: 6, least: 1, most: 1, view: true},
	"Clip":               {lower: lowerClip, since: 1, least: 1, most: 3},
	"Concat":             {lower: lowerConcat, since: 1, least: 1, most: many},
	"Constant":           {since: 1}, // becomes a tensor when the file is read
	"Conv":               {lower: lowerConv, since: 1, least: 2, most: 3},
	"Div":                {lower: lowerDiv, since: 1, least: 2, most: 2},
	"Dropout":            {lower: lowerDropout, since: 1, least: 1, most: 3, random: true},
	"Expand":             {lower: lowerExpand, since: 8, least: 2, most: 2},
	"Flatten":            {lower: lowerFlatten, since: 1, least: 1, most: 1, view: true},
	"Gather":             {lower: lowerGather, since: 1, least: 2, most: 2},
	"Gemm":               {lower: lowerGemm, since: 1, least: 2, most: 3},
	"GlobalAveragePool":  {lower: lowerGlobalAveragePool, since: 1, least: 1, most: 1},
	"Identity":           {lower: lowerIdentity, since: 1, least: 1, most: 1},
	"LeakyRelu":          {lower: lowerLeakyRelu, since: 1, least: 1, most: 1},
	"LogSoftmax":         {lower: lowerLogSoftmax, since: 1, least: 1, most: 1},
	"MatMul":             {lower: lowerMatMul, since: 1, least: 2, most: 2},
	"MaxPool":            {lower: lowerMaxPool, since: 1, least: 1, most: 1},
	"Mul":                {lower: lowerMul, since: 1, least: 2, most: 2},
	"Neg":                {lower: lowerNeg, since: 1, least: 1, most: 1},
	"ReduceMean":         {lower: lowerReduceMean, since: 1, least: 1, most: 2},
	"ReduceSum":          {lower: lowerReduceSum, since: 1, least: 1, most: 2},
	"Relu":               {lower: lowerRelu, since: 1, least: 1, most: 1},
	"Reshape":            {lower: lowerReshape, since: 1, least: 1, most: 2, view: true},
	"Shape":              {lower: lowerShape, since: 1, least: 1, most: 1},
	"Sigmoid":            {lower: lowerSigmoid, since: 1, least: 1, most: 1},
	"Slice":              {lower: lowerSlice, since: 1, least: 1, most: 5},
	"Softmax":            {lower: lowerSoftmax, since: 1, least: 1, most: 1},
	"Squeeze":            {lower: lowerSqueeze, since: 1, least: 1, most: 2, view: true},
	"Sub":                {lower: lowerSub, since: 1, least: 2, most: 2},
	"Sum":                {lower: lowerSum, since: 1, least: 1, most: many},
	"Tanh":               {lower: lowerTanh, since: 1, least: 1, most: 1},
	"Transpose":          {lower: lowerTranspose, since: 1, least: 1, most: 1},
	"Unsqueeze":          {lower: lowerUnsqueeze, since: 1, least: 1, most: 2, view: true},
}

// Operator is an ONNX operator that Lower knows.
type Operator struct {
	Name  string
	Since int64 // the oldest opset it is understood in
}

// Operators lists what Lower knows of ONNX's own domain, by name.
func Operators() []Operator {
	var list []Operator
	for _, name := range slices.Sorted(maps.Keys(operators)) {
		list = append(list, Operator{name, operators[name].since})
	}
	return list
}

// Supported returns nil if Lower knows every operator that an output depends on,
// else an UnsupportedError that lists all nodes it does not know.
func (m *Model) Supported() error {
	var bad []Unsupported
	needed := m.needed()
	for _, n := range m.Nodes {
		if reason := n.unsupported(); reason != "" && needed[n] {
			bad = append(bad, n.because(reason))
		}
	}
	if bad == nil {
		return nil
	}
	return &UnsupportedError{Path: m.Path, Nodes: bad}
}

// unsupported says why the operator of n cannot be lowered, whatever its
// inputs; "" if it can.
func (n *Node) unsupported() string {
	o := operators[n.Op]
	switch {
	case n.Domain != "":
		return "operators of this domain are not known; only ONNX's own are"
	case o == nil:
		return "no such operator here yet"
	case n.Opset < o.since:
		return fmt.Sprintf("its form before opset %d is not understood; convert the model with onnx.version_converter", o.since)
	}
	return ""
}

func (n *Node) because(reason string) Unsupported {
	return Unsupported{Node: n.Name, Op: n.Op, Domain: n.Domain, Opset: n.Opset, Reason: reason}
}

// unsupported is the error for one node that asks for more than we can do.
func unsupported(n *Node, reason string) error {
	return &UnsupportedError{Nodes: []Unsupported{n.because(reason)}}
}

// joinUnsupported makes one error of several.
func joinUnsupported(list []error) error {
	if len(list) < 2 {
		return errors.Join(list...)
	}
	all := new(UnsupportedError)
	for _, err := range list {
		if u, ok := errors.AsType[*UnsupportedError](err); ok {
			all.Nodes = append(all.Nodes, u.Nodes...)
		}
	}
	return all
}

// needed is the nodes that the outputs depend on.
func (m *Model) needed() map[*Node]bool {
	maker := map[string]*Node{}
	for _, n := range m.Nodes {
		for _, name := range n.Outputs {
			maker[name] = n
		}
	}
	delete(maker, "")
	needed := map[*Node]bool{}
	var todo []string
	for _, out := range m.Outputs {
		todo = append(todo, out.Name)
	}
	for len(todo) > 0 {
		n := maker[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		if n == nil || needed[n] {
			continue
		}
		needed[n] = true
		todo = append(append(todo, n.Inputs...), n.Captures...)
	}
	return needed
}

// reads reports whether a node or an output of the model uses a value.
func (m *Model) reads(name string) bool {
	for _, n := range m.Nodes {
		for _, in := range append(n.Inputs[:len(n.Inputs):len(n.Inputs)], n.Captures...) {
			if in == name {
				return true
			}
		}
	}
	for _, out := range m.Outputs {
		if out.Name == name {
			return true
		}
	}
	return false
}
