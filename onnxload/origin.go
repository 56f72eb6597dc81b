package onnxload

import "slices"

// origin says what kind of computation a value comes from.
type origin int

// From the least to the most telling: of several operands the highest counts.
const (
	none       origin = iota // nothing but constants
	raw                      // an input, at most moved about and rescaled; also attention scores
	learned                  // some layers lie between the inputs and it
	linear                   // a layer with weights, at most moved about and added to
	normalised               // divided by its own deviation, perhaps scaled
)

// linearOps have weights if one of their operands is fixed.
var linearOps = []string{"Conv", "ConvTranspose", "DeformConv", "Gemm", "MatMul", "Einsum", "RNN", "GRU", "LSTM",
	"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"}

// normalOps normalise by themselves.
var normalOps = []string{"BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization",
	"RMSNormalization", "SimplifiedLayerNormalization", "MeanVarianceNormalization", "LpNormalization"}

// origin of a value. newUses asks for all values in execution order, so that the
// answers for the inputs of a node are there.
func (u *uses) origin(name string) origin {
	if o, ok := u.origins[name]; ok {
		return o
	}
	if u.depth > maxDepth {
		return raw // a subgraph whose nodes are out of order
	}
	u.depth++
	u.origins[name] = raw // ends the recursion should names of subgraphs clash
	o := u.trace(name)
	u.origins[name] = o
	u.depth--
	return o
}

func (u *uses) trace(name string) origin {
	if u.fixed[name] || name == "" {
		return none
	}
	n := u.producer[name]
	if n == nil {
		return raw
	}
	strongest := func() origin {
		o := none
		for _, in := range n.Inputs {
			o = max(o, u.origin(in))
		}
		return o
	}
	switch {
	case n.Domain != "":
		return learned
	case slices.Contains(linearOps, n.Op):
		for _, in := range n.Inputs {
			if in != "" && u.fixed[in] {
				return linear
			}
		}
		return raw // two activations: scores
	case slices.Contains(normalOps, n.Op):
		return normalised
	case n.Op == "Gather" && len(n.Inputs) == 2 && u.fixed[n.Inputs[0]] && !u.fixed[n.Inputs[1]]:
		return learned // rows of a table
	case n.Op == "Softmax":
		return raw
	case slices.Contains(movement, n.Op) && len(n.Inputs) > 0:
		return u.origin(n.Inputs[0])
	case n.Op == "Div" && len(n.Inputs) == 2 && u.deviation(n.Inputs[1]):
		return normalised
	case n.Op == "Reciprocal" && len(n.Inputs) == 1 && u.deviation(n.Inputs[0]):
		return normalised
	case n.Op == "Add", n.Op == "Sub", n.Op == "Mul", n.Op == "Div", n.Op == "Sum":
		// With a fixed operand it stays what it was; a scale makes it normalised,
		// so that what is added next is a shift.
		o := strongest()
		if n.Op == "Mul" && o >= learned && u.scales(n) {
			return normalised
		}
		return o
	}
	return min(strongest(), learned)
}

// scales reports whether a product has a tensor along one axis for a factor.
func (u *uses) scales(n *Node) bool {
	return slices.ContainsFunc(n.Inputs, func(name string) bool {
		t := u.model.Tensors[name]
		return t != nil && len(t.F) > 1 && freeAxes(t.Shape) == 1
	})
}

// deviation reports whether a value is the square root of a mean, perhaps with
// an epsilon added.
func (u *uses) deviation(name string) bool {
	n := u.producer[name]
	if n == nil || n.Op != "Sqrt" || len(n.Inputs) == 0 {
		return false
	}
	for range 8 {
		n = u.producer[n.Inputs[0]]
		switch {
		case n == nil || len(n.Inputs) == 0:
			return false
		case n.Op == "ReduceMean":
			return true
		case n.Op == "Add" && len(n.Inputs) == 2 && u.fixed[n.Inputs[0]]:
			n = &Node{Inputs: n.Inputs[1:]} // the epsilon comes first
		case n.Op != "Add" && n.Op != "Max" && n.Op != "Clip" && !slices.Contains(movement, n.Op):
			return false
		}
	}
	return false
}

// afresh reports whether a value has just been normalised or, when a shape is
// given, just been multiplied by a scale of that shape afterwards.
func (u *uses) afresh(name string, scaled []int) bool {
	n := u.source(name)
	switch {
	case n == nil || n.Domain != "":
		return false
	case scaled != nil && n.Op == "Mul" && len(n.Inputs) == 2:
		for slot, factor := range n.Inputs {
			t := u.model.Tensors[factor]
			if t != nil && slices.Equal(t.Shape, scaled) && u.afresh(n.Inputs[1-slot], nil) {
				return true
			}
		}
		return false
	case slices.Contains(normalOps, n.Op):
		return true
	}
	return n.Op == "Div" && len(n.Inputs) == 2 && u.deviation(n.Inputs[1])
}

// source is the node that computed a value, seen through movement.
func (u *uses) source(name string) *Node {
	n := u.producer[name]
	for range 8 {
		if n == nil || !slices.Contains(movement, n.Op) || len(n.Inputs) == 0 {
			break
		}
		n = u.producer[n.Inputs[0]]
	}
	return n
}

// width is the number of output features if the value comes straight from a
// layer, and 0 if it does not or the weights hide behind other nodes.
func (u *uses) width(name string) int {
	n := u.source(name)
	if n == nil || n.Domain != "" || len(n.Inputs) < 2 {
		return 0
	}
	w := u.model.Tensors[n.Inputs[1]]
	if w == nil || len(w.Shape) < 2 {
		return 0
	}
	switch n.Op {
	case "MatMul":
		return w.Shape[len(w.Shape)-1]
	case "Gemm":
		if n.Attrs.Int("transB", 0) != 0 {
			return w.Shape[0]
		}
		return w.Shape[1]
	case "Conv":
		return w.Shape[0]
	case "ConvTranspose":
		return w.Shape[1] * n.Attrs.Int("group", 1)
	}
	return 0
}
