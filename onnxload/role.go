package onnxload

import (
	"slices"
	"strings"

	"finetune/optim"
)

// slots says what an operator takes each of its inputs for. Operators that are
// not here, and slots beyond the list, read constants as constants; MatMul,
// Gather and the arithmetic ones depend on what else they read.
//
// The slope of PRelu multiplies a value channel by channel, as a scale does, and
// like a scale it must not be drawn to zero: hence its role. Peepholes of an
// LSTM lead from the cell to its own gates, which makes them recurrent.
var slots = map[string][]optim.Role{
	"Conv":                         {optim.Weight, optim.Weight, optim.Bias},
	"ConvTranspose":                {optim.Weight, optim.Weight, optim.Bias},
	"DeformConv":                   {optim.Constant, optim.Weight, optim.Constant, optim.Bias},
	"Gemm":                         {optim.Weight, optim.Weight, optim.Bias},
	"MatMul":                       {optim.Weight, optim.Weight},
	"BatchNormalization":           {optim.Constant, optim.Scale, optim.Shift, optim.Running, optim.Running},
	"LayerNormalization":           {optim.Constant, optim.Scale, optim.Shift},
	"InstanceNormalization":        {optim.Constant, optim.Scale, optim.Shift},
	"GroupNormalization":           {optim.Constant, optim.Scale, optim.Shift},
	"RMSNormalization":             {optim.Constant, optim.Scale},
	"SimplifiedLayerNormalization": {optim.Constant, optim.Scale},
	"PRelu":                        {optim.Constant, optim.Scale},
	"RNN":                          {optim.Constant, optim.Weight, optim.Recurrent, optim.Bias},
	"GRU":                          {optim.Constant, optim.Weight, optim.Recurrent, optim.Bias},
	"LSTM": {optim.Constant, optim.Weight, optim.Recurrent, optim.Bias,
		optim.Constant, optim.Constant, optim.Constant, optim.Recurrent},
}

// precedence decides the role of a tensor with several readers: the first that
// any of them gives it. Running comes first, for steps must not move statistics,
// and Embedding before Weight, for a table tied to an output layer is still one.
var precedence = []optim.Role{
	optim.Running, optim.Embedding, optim.Recurrent, optim.Weight, optim.Scale, optim.Bias, optim.Shift, optim.Constant,
}

// readParams lists the tensors that are read by a node as floats.
func (m *Model) readParams() {
	m.readLinear()
	u := newUses(m)
	var readers []*Node
	for _, t := range m.fileOrder() {
		q := u.quantization(t)
		if !t.DType.IsFloat() && q == nil || len(u.readers[t.Name]) == 0 {
			continue
		}
		role, by := u.role(t)
		if q != nil && role == optim.Constant {
			continue
		}
		p := &optim.Param{
			Name:      t.Name,
			Role:      role,
			Op:        by.Op,
			Layer:     layer(by, t.Name),
			Shape:     t.Shape,
			DType:     string(t.DType),
			Trainable: role != optim.Constant && role != optim.Running,
			Value:     t.F,
		}
		if q != nil {
			if m.quantized == nil {
				m.quantized = map[*optim.Param]*Quantization{}
			}
			m.quantized[p] = q
			p.Value = q.Weights(toFloats(t.I))
		}
		p.InFirst, p.Groups = u.inFirst(p, by), int(by.Attrs.Int("group", 1))
		m.Params = append(m.Params, p)
		readers = append(readers, by)
	}
	m.countLayers(readers)
}

// fileOrder lists the tensors: initializers, sparse ones, those in nodes.
func (m *Model) fileOrder() []*Tensor {
	var list []*Tensor
	for _, name := range initializerNames(m.Proto.Graph) {
		list = append(list, m.Tensors[name])
	}
	for i, p := range m.Proto.Graph.Node {
		names := p.Output
		if p.GetOpType() != "Constant" {
			names = nil
			for _, attr := range linearAttrs {
				names = append(names, nameOf(p, i)+"/"+attr)
			}
		}
		for _, name := range names {
			if t := m.Tensors[name]; t != nil && t.At.Node == i {
				list = append(list, t)
			}
		}
	}
	return list
}

// layer is the name of the node that reads a parameter. Where that says no more
// than the operator, such as "Conv_69", it is what the parameter's name says:
// "conv1" of "conv1.weight".
func layer(n *Node, param string) string {
	i := strings.LastIndexByte(param, '.')
	number, generic := strings.CutPrefix(n.Name, n.Op+"_")
	if i > 0 && generic && strings.Trim(number, "_0123456789") == "" {
		return param[:i]
	}
	return n.Name
}

// role is the role of a tensor, and the node that gives it.
func (u *uses) role(t *Tensor) (optim.Role, *Node) {
	reads := u.reads(t)
	best, by := optim.Constant, u.readers[t.Name][0].node
	if len(reads) > 0 {
		by = reads[0].node
	}
	for _, r := range reads {
		role := u.slotRole(r, t)
		if slices.Index(precedence, role) < slices.Index(precedence, best) {
			best, by = role, r.node
		}
	}
	return best, by
}

// slotRole is the role of a tensor for one of its readers.
func (u *uses) slotRole(r read, t *Tensor) optim.Role {
	n := r.node
	if n.Domain != "" {
		switch t.At.Attr {
		case "coefficients":
			return optim.Weight
		case "intercepts":
			return optim.Bias
		}
		return optim.Constant
	}
	switch n.Op {
	case "Einsum":
		return optim.Weight
	case "Gather":
		if r.slot == 0 && len(t.Shape) > 1 {
			return optim.Embedding
		}
	case "Add", "Sum", "Sub", "Mul":
		return u.arithmeticRole(r, t)
	default:
		if list := slots[n.Op]; r.slot < len(list) {
			return list[r.slot]
		}
	}
	return optim.Constant
}

// arithmeticRole tells a bias, a scale and a shift that are written out as
// element-wise operators from the constants of formulas. They meet a value that
// was learned, not a raw input or the scores of an attention, where a constant
// is a normalisation or a mask; and they have one axis, or the very shape of a
// layer's output or of a normalised value.
func (u *uses) arithmeticRole(r read, t *Tensor) optim.Role {
	from, other := none, ""
	for slot, name := range r.node.Inputs {
		if o := u.origin(name); slot != r.slot && o >= from {
			from, other = o, name
		}
	}
	mul := r.node.Op == "Mul"
	if from == none && mul && len(t.F) > 1 && freeAxes(t.Shape) == 1 {
		return optim.Scale // of a weight, as in weight normalisation
	}
	if from <= raw || len(t.Shape) == 0 {
		return optim.Constant
	}
	switch {
	case mul && len(t.F) > 1 && u.afresh(other, nil):
		return optim.Scale
	case !mul && len(t.F) > 1 && u.afresh(other, t.Shape):
		return optim.Shift
	case !mul && len(t.F) == u.width(other):
		return optim.Bias
	case freeAxes(t.Shape) > 1 && r.node.Op == "Add" && strings.Contains(strings.ToLower(t.Name), "embed"):
		return optim.Embedding // of positions: a table that is added whole
	case freeAxes(t.Shape) != 1:
		return optim.Constant
	case mul:
		return optim.Scale
	case from == normalised:
		return optim.Shift
	case r.node.Op == "Sub" && r.slot == 0:
		return optim.Constant
	}
	return optim.Bias
}

// freeAxes counts the axes along which a tensor extends.
func freeAxes(shape []int) int {
	n := 0
	for _, d := range shape {
		if d != 1 {
			n++
		}
	}
	return n
}
