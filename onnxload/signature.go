package onnxload

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// signature is the inputs of an operator by the names that ONNX gives them. Marks
// behind a name say more, in this order: ' that a gradient flows to it, if it is
// of a float type; ? that it may be left out; ... that any number may follow.
// Empty is an operator without inputs.
type signature string

// OperatorInput is an input of an operator.
type OperatorInput struct {
	Name     string // in ONNX's documentation
	Gradient bool   // a gradient flows to it, if it is of a float type
	Optional bool
	Variadic bool // it stands for any number of inputs
}

type operatorInputs []OperatorInput

func (s signature) inputs() operatorInputs {
	var list operatorInputs
	for _, field := range strings.Fields(string(s)) {
		var in OperatorInput
		field, in.Variadic = strings.CutSuffix(field, "...")
		field, in.Optional = strings.CutSuffix(field, "?")
		in.Name, in.Gradient = strings.CutSuffix(field, "'")
		list = append(list, in)
	}
	return list
}

// most is how many inputs there can be.
func (l operatorInputs) most() int {
	if slices.ContainsFunc(l, func(in OperatorInput) bool { return in.Variadic }) {
		return math.MaxInt
	}
	return len(l)
}

// at is input i of a node.
func (l operatorInputs) at(i int) OperatorInput { return l[min(i, len(l)-1)] }

// Operator is an ONNX operator that Lower knows.
type Operator struct {
	Domain string // "" for ONNX's own
	Name   string
	Since  int64 // the oldest opset it is understood in
	Inputs []OperatorInput
}

// Differentiable reports whether a gradient flows to any input.
func (o Operator) Differentiable() bool {
	return slices.ContainsFunc(o.Inputs, func(in OperatorInput) bool { return in.Gradient })
}

// Operators lists what Lower knows, by domain and name.
func Operators() []Operator {
	var list []Operator
	for domain, d := range domains {
		for name, o := range d.operators {
			list = append(list, Operator{domain, name, o.since, o.in.inputs()})
		}
	}
	slices.SortFunc(list, func(a, b Operator) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name))
	})
	return list
}
