package onnxload

import (
	"testing"

	"finetune/internal/onnxpb"
)

// TestInAxis reads off which axis of a weight the inputs lie along.
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
		{"Gemm", nodes{apply("Gemm", "x", "w", "→", "y")}, 0},
	} {
		m := parse(t, network(test.nodes, floats("w", []int64{8, 8})))
		if got := m.Params[0].InAxis(); got != test.want {
			t.Errorf("%s: got axis %d, want %d", test.name, got, test.want)
		}
	}
}
