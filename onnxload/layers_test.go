package onnxload

import (
	"testing"

	"finetune/internal/onnxpb"
)

// Two ways of different length lead to the last layer.
func TestDepth(t *testing.T) {
	w := func(name string) *onnxpb.TensorProto { return floats(name, []int64{8, 8}) }
	v := func(name string) *onnxpb.TensorProto { return floats(name, []int64{8}) }
	m := parse(t, network([]*onnxpb.NodeProto{
		apply("LayerNormalization", "x", "scale", "shift", "→", "n"),
		apply("MatMul", "n", "w0", "→", "a"),
		apply("Add", "a", "bias", "→", "b"),
		apply("Relu", "b", "→", "c"),
		apply("Transpose", "w1", "→", "t"),
		apply("Gemm", "c", "t", "b1", "→", "d"),
		apply("MatMul", "n", "side", "→", "e"),
		apply("Add", "d", "e", "→", "f"),
		apply("Gemm", "f", "w2", "b2", "→", "y"),
	}, v("scale"), v("shift"), w("w0"), v("bias"), w("w1"), v("b1"), w("side"), w("w2"), v("b2")))
	want := map[string]int{"scale": 0, "shift": 0, "w0": 0, "bias": 0, "w1": 1, "b1": 1, "side": 0, "w2": 2, "b2": 2}
	if len(m.Params) != len(want) {
		t.Errorf("got %d parameters, want %d", len(m.Params), len(want))
	}
	for _, p := range m.Params {
		if p.Depth != want[p.Name] {
			t.Errorf("%s: got depth %d, want %d", p.Name, p.Depth, want[p.Name])
		}
	}
}
