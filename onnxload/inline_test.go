package onnxload

import (
	"slices"
	"strings"
	"testing"

	"finetune/optim"
)

func TestFunctions(t *testing.T) {
	// dense(x, w; slope) = leaky(x·w), where leaky is a function too.
	d := newDraft(16).
		function("leaky", names("x"), names("y"),
			newDraft(16).node("LeakyRelu", names("x"), names("y"), refer("alpha", "slope")), attr("slope", 0.5)).
		function("dense", names("x", "w"), names("y"),
			newDraft(16).node("MatMul", names("x", "w"), names("p")).call("leaky", names("p"), names("y"), refer("slope", "slope")),
			attr("slope", 0.25)).
		input("x", 1, 2).floats("w", []int64{2, 2}, 1, 0, 0, 1).
		call("dense", names("x", "w"), names("h"), attr("slope", 0.125)).
		call("dense", names("h", "w"), names("g")).
		call("leaky", names("g"), names("y")).output("y")
	if got, want := result(t, d, 1, -64), []float32{1, -1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	m := d.model(t)
	if p := m.Params[0]; p.Role != optim.Weight || p.Op != "MatMul" || !p.Trainable {
		t.Errorf("got role %s of %s, want the weight of a MatMul", p.Role, p.Op)
	}
	if got, want := m.Nodes[0].Name, "h_node/p_node"; got != want {
		t.Errorf("got node %q, want %q", got, want)
	}
}

// TestFunctionNames checks that names inside of calls and subgraphs stay apart.
func TestFunctionNames(t *testing.T) {
	branch := func(op string) *draft { return newDraft(16).node(op, names("t"), names("b")).output("b") }
	d := newDraft(16).
		function("pick", names("x"), names("y"), newDraft(16).
			node("Neg", names("x"), names("t")).node("Constant", nil, names("c"), refer("value_int", "first")).
			node("Cast", names("c"), names("p"), attr("to", 9)).
			node("If", names("p"), names("y"), attr("then_branch", branch("Relu")), attr("else_branch", branch("Abs")))).
		input("t", 2).
		call("pick", names("t"), names("a"), attr("first", 1)).call("pick", names("t"), names("b"), attr("first", 0)).
		node("Sub", names("b", "a"), names("y")).output("y")
	if got, want := result(t, d, 3, -5), []float32{3, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFunctionOptionalInput(t *testing.T) {
	d := newDraft(16).
		function("clip", names("x", "low", "high"), names("y"), newDraft(16).node("Clip", names("x", "low", "high"), names("y"))).
		input("x", 2).floats("top", nil, 1).call("clip", names("x", "-", "top"), names("y")).output("y")
	if got, want := result(t, d, -3, 5), []float32{-3, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFunctionErrors(t *testing.T) {
	bomb := newDraft(16).input("x", 1)
	body := newDraft(16)
	for range 100 {
		body.call("f1", names("x"), names(strings.Repeat("v", len(body.graph.Node)+1)))
	}
	for i := range 4 {
		inner := newDraft(16)
		for _, n := range body.graph.Node {
			inner.call("f"+string(rune('1'+i)), n.Input, n.Output)
		}
		bomb.function("f"+string(rune('0'+i)), names("x"), names("v"), inner)
	}
	bomb.function("f4", names("x"), names("v"), newDraft(16).node("Relu", names("x"), names("v")))
	for _, c := range []struct {
		name string
		d    *draft
		want string
	}{
		{"recursion", newDraft(16).function("f", names("x"), names("y"), newDraft(16).call("f", names("x"), names("y"))).
			input("x", 1).call("f", names("x"), names("y")), "functions call each other more than 64 deep"},
		{"too many nodes", bomb.call("f0", names("x"), names("y")), "unfold to more than"},
		{"too many inputs", newDraft(16).function("f", names("x"), names("y"), newDraft(16).node("Relu", names("x"), names("y"))).
			input("x", 1).call("f", names("x", "x"), names("y")), "has 2 inputs and 1 outputs, the function has 1 and 1"},
	} {
		if _, err := Parse(c.d.output("y").file(t), ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q in it", c.name, err, c.want)
		}
	}
}
