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

// TestDepthInSubgraphs: a weight in a subgraph lies behind the layers before its
// node and those before it in the subgraph, and before all that follow.
func TestDepthInSubgraphs(t *testing.T) {
	body := newDraft(13).input("i").input("c").input("a", 2, 8).
		node("MatMul", names("a", "w1"), names("b")).node("Relu", names("b"), names("r")).
		node("Add", names("r", "bias"), names("s")).node("MatMul", names("s", "w2"), names("next")).
		node("Identity", names("c"), names("more")).output("more").output("next")
	short := newDraft(13).node("MatMul", names("l", "w3"), names("z")).output("z")
	inner := newDraft(13).node("MatMul", names("z", "w5"), names("v")).output("v")
	long := newDraft(13).node("MatMul", names("l", "w4"), names("z")).
		node("If", names("yes"), names("v2"), attr("then_branch", inner), attr("else_branch", inner)).output("v2")
	d := newDraft(13).input("x", 2, 8).ints("n", 3).ints("yes", 1).
		node("MatMul", names("x", "w0"), names("h")).
		node("Loop", names("n", "-", "h"), names("l"), attr("body", body)).
		node("If", names("yes"), names("o"), attr("then_branch", long), attr("else_branch", short)).
		node("MatMul", names("o", "w6"), names("y")).output("y")
	for _, w := range []string{"w0", "w1", "w2", "w3", "w4", "w5", "w6"} {
		d.floats(w, []int64{8, 8}, make([]float32, 64)...)
	}
	d.floats("bias", []int64{8}, make([]float32, 8)...)
	want := map[string]int{"w0": 0, "w1": 1, "bias": 1, "w2": 2, "w3": 3, "w4": 3, "w5": 4, "w6": 5}
	m := d.model(t)
	if len(m.Params) != len(want) {
		t.Errorf("got %d parameters, want %d", len(m.Params), len(want))
	}
	for _, p := range m.Params {
		if p.Depth != want[p.Name] {
			t.Errorf("%s, a %s: got depth %d, want %d", p.Name, p.Role, p.Depth, want[p.Name])
		}
	}
}
