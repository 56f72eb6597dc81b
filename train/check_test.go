package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/train/data"
)

func check(t *testing.T, m *onnxload.Model, cfg CheckConfig) *Report {
	t.Helper()
	r, err := Check(t.Context(), m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A model that can be trained is run, compared and stepped, and is as before.
func TestCheck(t *testing.T) {
	m := convnet().model(t)
	var before [][]float32
	for _, p := range m.Params {
		before = append(before, slices.Clone(p.Value))
	}
	r := check(t, m, CheckConfig{})
	if !r.Trainable {
		t.Fatalf("got problems %+v, want none", r.Problems)
	}
	for i, p := range m.Params {
		if !slices.Equal(p.Value, before[i]) || p.Grad != nil {
			t.Errorf("parameter %q has changed", p.Name)
		}
	}
	var ops []string
	for _, g := range r.Gradients {
		ops = append(ops, g.Op)
		if g.Elements == 0 || g.Error > 0.01 {
			t.Errorf("gradient of %s: got %d elements and error %g, want some and at most 0.01", g.Op, g.Elements, g.Error)
		}
	}
	if want := []string{"BatchNormalization", "Conv", "Dropout", "Flatten", "Gemm", "Relu"}; !slices.Equal(ops, want) {
		t.Errorf("got gradients of %q, want %q", ops, want)
	}
	trained := 0
	for _, p := range r.Parameters {
		if p.Trained {
			trained++
		} else if p.Reason != "role running is never trained" {
			t.Errorf("parameter %s: got reason %q", p.Name, p.Reason)
		}
	}
	if trained != 6 || r.Step.Moved != 6 {
		t.Errorf("got %d parameters trained and %d moved, want 6", trained, r.Step.Moved)
	}
	if r.Step.After >= r.Step.Before || r.Step.Slope > 0.01 {
		t.Errorf("got loss %g after a step from %g, slope off by %g", r.Step.After, r.Step.Before, r.Step.Slope)
	}
	again, _ := json.Marshal(check(t, m, CheckConfig{}))
	if first, err := json.Marshal(r); err != nil || string(first) != string(again) {
		t.Errorf("got %s, want the same again: %s (%v)", first, again, err)
	}
}

// Each way not to be trained has its reason.
func TestCheckProblems(t *testing.T) {
	for _, c := range []struct {
		what  string
		model *draft
		want  []string // problems
	}{
		{"unknown operators", mlp().node("Frobnicate", "a", "fc2").node("Gyre", "b", "a").output("b", -1, 3),
			[]string{"a Frobnicate no such operator", "b Gyre no such operator"}},
		{"no parameter", newDraft().input("x", -1, 2).node("Relu", "y", "x").output("y", -1, 2),
			[]string{"there is no parameter to train"}},
		{"only whole numbers", newDraft().input("x", -1, 2).dense("fc", "x", 2, 3).node("ArgMax", "y", "fc").output("y", 1, 3),
			[]string{"no output has floating-point numbers"}},
		{"cut off", newDraft().input("x", -1, 2).dense("fc", "x", 2, 3).node("Floor", "y", "fc").output("y", -1, 3),
			[]string{"there is no parameter to train"}},
		{"infinite", newDraft().input("x", -1, 2).dense("fc", "x", 2, 3).tensor("zero", []float32{0}, 1).
			node("Div", "y", "fc", "zero").output("y", -1, 3),
			[]string{"y Div it is the first to make a number that is not finite"}},
		{"dead", newDraft().input("x", -1, 2).dense("fc", "x", 2, 3).tensor("low", []float32{-1e6}, 1).
			node("Add", "sum", "fc", "low").node("Relu", "y", "sum").output("y", -1, 3),
			[]string{"all gradients are zero on random inputs"}},
		{"misused", newDraft().input("x", -1, 2).weight("w", 3, 3).node("MatMul", "y", "x", "w").output("y", -1, 3),
			[]string{"y MatMul MatMul: "}},
		{"misused twice", newDraft().input("x", -1, 2).weight("w", 3, 3).node("MatMul", "a", "x", "w").output("a", -1, 3).
			node("Conv", "b", "x", "w").output("b", -1, 3),
			[]string{"a MatMul MatMul: ", "b Conv input [2 2] and filters [3 3] differ in rank"}},
	} {
		r := check(t, c.model.model(t), CheckConfig{})
		var got []string
		for _, p := range r.Problems {
			got = append(got, strings.TrimSpace(fmt.Sprint(p.Node, " ", p.Op, " ", p.Reason)))
		}
		if r.Trainable || !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: got %q, trainable %v, want %q", c.what, got, r.Trainable, c.want)
		}
	}
}

// Parameters that the trained output does not depend on are told, with the outputs
// that do, and those behind an operator without a gradient.
func TestCheckParameters(t *testing.T) {
	m := newDraft().input("x", -1, 4).dense("stem", "x", 4, 4).
		dense("left", "stem", 4, 2).output("left", -1, 2).
		dense("right", "stem", 4, 2).output("right", -1, 2).
		dense("lost", "stem", 4, 2).node("Floor", "steps", "lost").output("steps", -1, 2).model(t)
	want := map[string]string{
		"stem.weight": "true",
		"left.weight": "true", "left.bias": "true",
		"right.weight": `false output "left" does not depend on it right`,
		"lost.weight":  `false it is cut off by node "steps" (Floor)`,
	}
	for _, p := range check(t, m, CheckConfig{}).Parameters {
		got := strings.TrimSpace(fmt.Sprint(p.Trained, " ", p.Reason, " ", strings.Join(p.Outputs, " ")))
		if want[p.Name] != "" && got != want[p.Name] {
			t.Errorf("%s: got %s, want %s", p.Name, got, want[p.Name])
		}
	}
	r := check(t, m, CheckConfig{Output: "right"})
	if i := slices.IndexFunc(r.Parameters, func(p ParamReport) bool { return p.Name == "right.weight" }); !r.Parameters[i].Trained {
		t.Errorf("output right: got %+v, want it trained", r.Parameters[i])
	}
}

// An input without a batch is held at zero, and open dimensions get a size.
func TestCheckInputs(t *testing.T) {
	m := newDraft().input("x", -1, 4).input("state", 3, 4).dense("fc", "x", 4, 4).
		node("ReduceSum", "total", "state").node("Add", "y", "fc", "total").output("y", -1, 4).model(t)
	r := check(t, m, CheckConfig{Batch: 5})
	if !r.Trainable || len(r.Fill) != 1 || r.Fill["state"] != 0 || len(m.Inputs) != 2 {
		t.Errorf("got fills %v and problems %+v, want state held at 0 in the trial alone", r.Fill, r.Problems)
	}
	if got := r.Inputs[0].Shape; !slices.Equal(got, []int{5, 4}) {
		t.Errorf("got input of shape %v, want a batch of 5", got)
	}
}

func TestCheckInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, mlp().model(t), CheckConfig{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// The class may come before the scores, which are trained.
func TestFirstOutputOfFloats(t *testing.T) {
	m := newDraft().input("x", -1, 6).dense("fc", "x", 6, 3).node("ArgMax", "class", "fc").attr("axis", 1).
		output("class", -1, 1).output("fc", -1, 3).model(t)
	if r := check(t, m, CheckConfig{}); !r.Trainable || r.Output != "fc" {
		t.Errorf("got output %q and problems %v, want fc trained", r.Output, r.Problems)
	}
	before := slices.Clone(param(t, m, "fc.weight").Value)
	source := noise{[]data.Field{{Name: "x", Shape: []int{6}}}, 3}
	l, err := data.NewLoader(source, data.LoaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	if _, err := Run(t.Context(), m, l, nil, cfg); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(before, param(t, m, "fc.weight").Value) {
		t.Error("got weights as they were, want them trained")
	}
}
