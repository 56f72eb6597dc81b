package onnxload

import (
	"slices"
	"strings"
	"testing"

	"finetune/internal/corpus"
)

// TestLiftModels lifts every real model with a declared batch whose operators
// we have, to batches of one, a few, and no divisor of anything.
func TestLiftModels(t *testing.T) {
	for _, name := range []string{
		"acasxu_1_1_matlab", "cifar_cnn_wide_kw", "iris_mlp_torch23", "kws_micro_tf2onnx",
		"mnist-12", "mnist-8", "mnist_cnn_torch11", "mnist_cnn_bn_torch20", "mnist_self_attention_tf2onnx",
	} {
		m, err := Open(corpus.Path(t, "models/"+name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, batch := range []int{1, 3, 16} {
			cfg := Config{Batch: batch}
			prog, err := m.Lower(cfg)
			if err != nil {
				t.Errorf("%s, batch %d: %v", name, batch, err)
				continue
			}
			if got, want := prog.Lifted, batch != m.BatchDim(); got != want {
				t.Errorf("%s, batch %d: got lifted %v, want %v", name, batch, got, want)
			}
			if got := prog.Outputs[0].Shape[0]; got != batch {
				t.Errorf("%s: got output of shape %v, want %d rows", name, prog.Outputs[0].Shape, batch)
			}
			if err := m.CheckLift(cfg); err != nil {
				t.Errorf("%s, batch %d: %v", name, batch, err)
			}
		}
	}
}

// TestLiftLargerBatch lifts from a declared batch of more than one.
func TestLiftLargerBatch(t *testing.T) {
	m := newDraft(13).input("x", 6, 2, 4).
		ints("rows", 12, 4).ints("back", 6, 8).ints("open", 6, -1).
		node("Reshape", names("x", "rows"), names("a")).
		node("Softmax", names("a"), names("b")).
		node("Reshape", names("b", "back"), names("c")).
		node("Reshape", names("c", "open"), names("y")).
		output("y").model(t)
	for _, batch := range []int{1, 2, 6, 12, 13} {
		prog, err := m.Lower(Config{Batch: batch})
		if err != nil {
			t.Errorf("batch %d: %v", batch, err)
			continue
		}
		if got, want := prog.Outputs[0].Shape, []int{batch, 8}; !slices.Equal(got, want) {
			t.Errorf("got shape %v, want %v", got, want)
		}
		if err := m.CheckLift(Config{Batch: batch}); err != nil {
			t.Errorf("batch %d: %v", batch, err)
		}
	}
}

// TestLiftRefused checks that a lift which changes results is found out.
func TestLiftRefused(t *testing.T) {
	tests := []struct {
		name  string
		draft *draft
		want  string
	}{
		{"examples mixed", newDraft(13).input("x", 1, 4).
			node("Softmax", names("x"), names("s"), attr("axis", 0)).node("Mul", names("s", "x"), names("y")), `output "y"`},
		{"batch moved", newDraft(13).input("x", 1, 4).node("Transpose", names("x"), names("y")), `output "y" has shape [4 3]`},
		{"batch cut off", newDraft(13).input("x", 1, 4).ints("zero", 0).
			node("Gather", names("x", "zero"), names("y")), `output "y"`},
		{"batch squeezed", newDraft(13).input("x", 1, 4).ints("zero", 0).
			node("Squeeze", names("x", "zero"), names("y")), "y_node"},
	}
	for _, test := range tests {
		err := test.draft.output("y").model(t).CheckLift(Config{Batch: 3})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", test.name, err, test.want)
		}
	}
}

func TestScaleBatch(t *testing.T) {
	tests := []struct {
		declared               int
		from, to, target, want []int
	}{
		{1, []int{1, 16, 4, 4}, []int{8, 16, 4, 4}, []int{1, 256}, []int{8, 256}},
		{1, []int{1, 16, 4, 4}, []int{8, 16, 4, 4}, []int{256}, []int{2048}},
		{1, []int{1, 6}, []int{8, 6}, []int{1, 1, 6}, []int{8, 1, 6}},
		{1, []int{1, 49, 64}, []int{8, 49, 64}, []int{49, 64}, []int{392, 64}},
		{1, []int{49, 64}, []int{392, 64}, []int{1, 49, 64}, []int{8, 49, 64}},
		{1, []int{49, 1, 64}, []int{49, 8, 64}, []int{49, 4, 16}, []int{49, 32, 16}},
		{6, []int{6, 5}, []int{4, 5}, []int{1, 6, 5}, []int{1, 4, 5}},
		{6, []int{2, 6, 5}, []int{2, 4, 5}, []int{12, 5}, []int{8, 5}},
		{6, []int{6, 5}, []int{4, 5}, []int{5, 6}, nil},
		{1, []int{1, 2, 3}, []int{1, 2, 3}, []int{6}, nil},
		{1, []int{1, 2}, []int{3, 6}, []int{2}, nil},
	}
	for _, test := range tests {
		if got := scaleBatch(test.declared, test.from, test.to, test.target); !slices.Equal(got, test.want) {
			t.Errorf("scaleBatch(%d, %v, %v, %v): got %v, want %v", test.declared, test.from, test.to, test.target, got, test.want)
		}
	}
}
