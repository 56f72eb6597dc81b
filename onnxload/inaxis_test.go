package onnxload

import (
	"testing"

	"finetune/internal/onnxpb"
)

// TestInAxis reads off which axis of a weight the inputs lie along, and which the
// outputs.
func TestInAxis(t *testing.T) {
	type nodes = []*onnxpb.NodeProto
	for _, test := range []struct {
		name  string
		nodes nodes
		want  int
	}{
		{"MatMul", nodes{apply("MatMul", "x", "w", "→", "y")}, 0},
		{"MatMul from the left", nodes{apply("MatMul", "w", "x", "→", "y")}, 1},
		{"transposed", nodes{apply("Transpose", "w", "→", "t"), apply("MatMul", "x", "t", "→", "y")}, 1},
		{"transposed twice", nodes{apply("Transpose", "w", "→", "t"), apply("Identity", "t", "→", "i"), apply("Transpose", "i", "→", "u"), apply("MatMul", "x", "u", "→", "y")}, 0},
		{"Einsum", nodes{einsum("ab,bc->ac", "x", "w")}, 0},
		{"Einsum of a transpose", nodes{einsum("ab, cb -> ac", "x", "w")}, 1},
		{"Einsum from the left", nodes{einsum("ba,cb->ac", "w", "x")}, 0},
		{"Gemm", nodes{apply("Gemm", "x", "w", "→", "y")}, 0},
	} {
		m := parse(t, network(test.nodes, floats("w", []int64{8, 8})))
		if got := m.Params[0].InAxis(); got != test.want {
			t.Errorf("%s: got inputs along axis %d, want %d", test.name, got, test.want)
		}
		if got := m.Params[0].OutAxis(); got != 1-test.want {
			t.Errorf("%s: got outputs along axis %d, want %d", test.name, got, 1-test.want)
		}
	}
}

func einsum(equation string, operands ...string) *onnxpb.NodeProto {
	n := apply("Einsum", append(operands, "→", "y")...)
	n.Attribute = append(n.Attribute, attr("equation", equation))
	return n
}

// TestGroups: the weights of a ConvTranspose lie group by group along its inputs.
func TestGroups(t *testing.T) {
	node := apply("ConvTranspose", "x", "w", "→", "y")
	node.Attribute = append(node.Attribute, attr("group", 4))
	p := parse(t, network([]*onnxpb.NodeProto{node}, floats("w", []int64{8, 2, 3, 3}))).Params[0]
	if p.Groups != 4 || p.InAxis() != 0 {
		t.Errorf("got %d groups and inputs along axis %d, want 4 and 0", p.Groups, p.InAxis())
	}
}
