package onnxload

import (
	"slices"
	"strings"
	"testing"

	"finetune/internal/op"
)

// An input that is filled is a constant, whatever the batch, and no input.
func TestFill(t *testing.T) {
	m := newDraft(13).input("x", "batch", 2).input("state", "batch", 2).
		node("Add", names("x", "state"), names("y")).output("y").model(t)
	if err := m.Fill("state", 2.5); err != nil {
		t.Fatal(err)
	}
	prog, err := m.Lower(Config{Batch: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Inputs) != 1 || len(prog.Inputs) != 1 {
		t.Fatalf("got %d inputs of the model and %d of the program, want 1", len(m.Inputs), len(prog.Inputs))
	}
	got, err := prog.evaluate([]op.Buffer{{F: []float32{0, 1, 2, 3, 4, 5}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{2.5, 3.5, 4.5, 5.5, 6.5, 7.5}; !slices.Equal(got[0].F, want) {
		t.Errorf("got %v, want %v", got[0].F, want)
	}
	if err := m.Fill("State", 0); err == nil || !strings.Contains(err.Error(), `no input "State"; it has ["x"]`) {
		t.Errorf("got %v, want an error that names the inputs", err)
	}
}
