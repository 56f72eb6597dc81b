package onnxload

import (
	"strings"

	"finetune/optim"
)

// inFirst reports whether the inputs of a weight lie along its first axis: see
// optim.Param.InFirst. Each Transpose between the weight and the node that reads
// it turns that round.
func (u *uses) inFirst(t *optim.Param, by *Node) bool {
	for slot, name := range by.Inputs {
		turned, ok := u.turned(name, t.Name)
		if !ok {
			continue
		}
		first := false
		switch by.Op {
		case "MatMul":
			first = slot == 1
		case "Gemm":
			first = slot == 1 && by.Attrs.Int("transB", 0) == 0 || slot == 0 && by.Attrs.Int("transA", 0) != 0
		case "ConvTranspose":
			first = slot == 1
		case "Einsum":
			first = sumsOverFirst(by.Attrs.String("equation", ""), slot)
		}
		return first != turned
	}
	return false
}

// sumsOverFirst reports whether an equation sums over the first axis of an operand,
// and not over its second.
func sumsOverFirst(equation string, slot int) bool {
	left, right, explicit := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
	terms := strings.Split(left, ",")
	if !explicit || slot >= len(terms) || len(terms[slot]) < 2 {
		return false
	}
	return !strings.Contains(right, terms[slot][:1]) && strings.Contains(right, terms[slot][1:2])
}

// mostTurns is through how many nodes a weight is looked for.
const mostTurns = 16

// turned follows a value back to a tensor, by way of nodes that hand it on, and
// reports whether it is transposed there.
func (u *uses) turned(name, tensor string) (turned, ok bool) {
	for range mostTurns {
		if name == tensor {
			return turned, true
		}
		n := u.producer[name]
		if n == nil || len(n.Inputs) == 0 {
			break
		}
		name, turned = n.Inputs[0], turned != (n.Op == "Transpose")
	}
	return false, false
}
