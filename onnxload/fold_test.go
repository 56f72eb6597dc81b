package onnxload

import (
	"slices"
	"testing"

	"finetune/internal/op"
)

// TestFoldShapes checks that the arithmetic on shapes leaves nothing behind.
func TestFoldShapes(t *testing.T) {
	m := newDraft(13).
		input("x", "batch", 2, 3).
		ints("zero", 0).ints("rest", -1).ints("two", 2).
		node("Shape", names("x"), names("shape")).
		node("Gather", names("shape", "zero"), names("batch")).
		node("Mul", names("batch", "two"), names("rows")).
		node("Concat", names("rows", "rest"), names("target"), attr("axis", 0)).
		node("Reshape", names("x", "target"), names("y")).
		output("y").model(t)
	prog, err := m.Lower(Config{Batch: 5})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := prog.Outputs[0].Shape, []int{10, 3}; !slices.Equal(got, want) {
		t.Errorf("got shape %v, want %v", got, want)
	}
	if got, want := len(prog.Graph.AllNodes()), 2; got != want {
		t.Errorf("got %d nodes in the graph, want the input and the Reshape: %v", got, prog.Graph.AllNodes())
	}
}

// TestFoldConstants checks a fold over float constants, and that a weight is
// never folded even where all inputs of a node have a value.
func TestFoldConstants(t *testing.T) {
	m := newDraft(13).
		input("x", 2, 2).
		floats("w", []int64{4}, 1, 2, 3, 4).ints("square", 2, 2).
		floats("a", nil, 3).floats("b", nil, 4).
		node("Reshape", names("w", "square"), names("weight")).
		node("MatMul", names("x", "weight"), names("product")).
		node("Div", names("a", "b"), names("ratio")).
		node("Mul", names("product", "ratio"), names("y")).
		output("y").model(t)
	prog, err := m.Lower(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, n := range prog.Graph.AllNodes() {
		if o, ok := n.Op().(*op.Op); ok {
			ops = append(ops, o.Name)
		}
	}
	if want := []string{"Reshape", "MatMul", "Mul"}; !slices.Equal(ops, want) {
		t.Errorf("got operations %v, want %v", ops, want)
	}
	for _, p := range m.Params {
		if p.Name == "w" {
			p.Value[0] = 10 // as a training step would
		}
	}
	got, err := prog.evaluate([]op.Buffer{{F: []float32{1, 0, 0, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{7.5, 1.5, 2.25, 3}; !slices.Equal(got[0].F, want) {
		t.Errorf("got %v, want %v", got[0].F, want)
	}
}
