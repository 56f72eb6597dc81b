package onnxload

import (
	"slices"
	"strings"
	"testing"

	"finetune/internal/op"
)

// result lowers a draft and runs it on x.
func result(t *testing.T, d *draft, x ...float32) []float32 {
	t.Helper()
	prog, err := d.model(t).Lower(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var in []op.Buffer
	if len(prog.Inputs) > 0 {
		in = []op.Buffer{{F: x}}
	}
	out, err := prog.evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	return out[0].F
}

func TestIf(t *testing.T) {
	negate := newDraft(13).node("Neg", names("x"), names("n")).output("n")
	double := newDraft(13).floats("two", nil, 2).node("Mul", names("x", "two"), names("d")).output("d")
	for _, c := range []struct {
		name      string
		condition int64
		want      []float32
	}{{"then", 2, []float32{-1, -2}}, {"else", 3, []float32{2, 4}}} {
		// The condition is the number of elements of x.
		d := newDraft(13).input("x", 2).ints("n", c.condition).
			node("Shape", names("x"), names("s")).node("Equal", names("s", "n"), names("c")).
			node("If", names("c"), names("y"), attr("then_branch", negate), attr("else_branch", double)).output("y")
		if got := result(t, d, 1, 2); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestIfOfUnknownBranch checks that a branch that is not taken may hold anything.
func TestIfOfUnknownBranch(t *testing.T) {
	d := newDraft(13).input("x", 2).ints("c", 0).
		node("If", names("c"), names("y"), attr("then_branch", newDraft(13).node("Blur", names("x"), names("b")).output("b")),
			attr("else_branch", newDraft(13).node("Relu", names("x"), names("r")).output("r"))).output("y")
	if got, want := result(t, d, -1, 2), []float32{0, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLoop(t *testing.T) {
	// a ← a·x + i; the passes' values of a are stacked.
	body := newDraft(13).input("i").input("c").input("a", 2).
		node("Identity", names("c"), names("more")).node("Cast", names("i"), names("f"), attr("to", 1)).
		node("Mul", names("a", "x"), names("m")).node("Add", names("m", "f"), names("next")).
		output("more").output("next").output("next")
	d := newDraft(13).input("x", 2).ints("n", 3).floats("one", []int64{2}, 1, 1).
		node("Loop", names("n", "-", "one"), names("last", "all"), attr("body", body))
	d.output("all")
	if got, want := result(t, d, 2, 3), []float32{2, 3, 5, 10, 12, 32}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLoopUntilCondition(t *testing.T) {
	body := newDraft(13).input("i").input("c").input("a", 2).ints("limit", 2).
		node("Less", names("i", "limit"), names("more")).node("Add", names("a", "x"), names("next")).
		output("more").output("next")
	d := newDraft(13).input("x", 2).ints("yes", 1).
		node("Loop", names("-", "yes", "x"), names("y"), attr("body", body)).output("y")
	if got, want := result(t, d, 1, 10), []float32{4, 40}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	forever := newDraft(13).input("i").input("c").input("a", 2).
		node("Identity", names("c"), names("more")).node("Relu", names("a"), names("next")).output("more").output("next")
	d = newDraft(13).input("x", 2).ints("yes", 1).
		node("Loop", names("-", "yes", "x"), names("y"), attr("body", forever)).output("y")
	if _, err := d.model(t).Lower(Config{}); err == nil || !strings.Contains(err.Error(), "more than 16384 times") {
		t.Errorf("got error %v, want one about a loop without end", err)
	}
}

func TestScan(t *testing.T) {
	body := newDraft(13).input("s", 2).input("e", 2).
		node("Add", names("s", "e"), names("next")).node("Identity", names("next"), names("copy")).output("next").output("copy")
	scan := func(attrs ...string) *draft {
		d := newDraft(13).input("x", 3, 2).floats("zero", []int64{2}, 0, 0).
			node("Scan", names("zero", "x"), names("last", "all"), attr("body", body), attr("num_scan_inputs", 1))
		n := d.graph.Node[0]
		for _, a := range attrs {
			n.Attribute = append(n.Attribute, attr(a, []int64{1}))
		}
		return d.output("all")
	}
	x := []float32{1, 2, 3, 4, 5, 6}
	for _, c := range []struct {
		name string
		d    *draft
		want []float32
	}{
		{"forward", scan(), []float32{1, 2, 4, 6, 9, 12}},
		{"input in reverse", scan("scan_input_directions"), []float32{5, 6, 8, 10, 9, 12}},
		{"output in reverse", scan("scan_output_directions"), []float32{9, 12, 4, 6, 1, 2}},
		{"output along the second axis", scan("scan_output_axes"), []float32{1, 4, 9, 2, 6, 12}},
	} {
		if got := result(t, c.d, x...); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestControlErrors(t *testing.T) {
	branch := newDraft(13).node("Relu", names("x"), names("r")).output("r")
	for _, c := range []struct {
		name string
		d    *draft
		want string
	}{
		{"condition of an input", newDraft(13).input("x", 1).node("Cast", names("x"), names("c"), attr("to", 9)).
			node("If", names("c"), names("y"), attr("then_branch", branch), attr("else_branch", branch)), `the condition ("c") depends on an input`},
		{"no branch", newDraft(13).input("x", 1).ints("c", 1).
			node("If", names("c"), names("y"), attr("else_branch", branch)), "then_branch is missing"},
		{"an error inside", newDraft(13).input("x", 1).ints("c", 1).node("If", names("c"), names("y"),
			attr("then_branch", newDraft(13).node("Relu", names("x", "x"), names("r")).output("r"))), `node "r_node" (Relu, opset 13): has 2 inputs`},
		{"an operator inside", newDraft(13).input("x", 1).ints("c", 1).node("If", names("c"), names("y"),
			attr("then_branch", newDraft(13).node("Blur", names("x"), names("r")).output("r"))), `node "r_node": Blur`},
		{"nothing to stack", newDraft(13).input("x", 1).ints("n", 0).node("Loop", names("n", "-"), names("y"), attr("body",
			newDraft(13).input("i").input("c").node("Relu", names("x"), names("r")).output("c").output("r"))), "nothing to stack"},
	} {
		if _, err := c.d.output("y").model(t).Lower(Config{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q in it", c.name, err, c.want)
		}
	}
}
