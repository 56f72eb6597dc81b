package onnxload

import (
	"context"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/op"
)

// TestQuantizedGradient checks that the gradient of a weight passes through its
// quantization, but not where the weight is beyond the range.
func TestQuantizedGradient(t *testing.T) {
	m := newDraft(13).input("x", 1, 3).floats("w", []int64{3, 1}, 0.3, -0.4, 100).floats("scale", nil, 0.25).
		node("QuantizeLinear", names("w", "scale"), names("q")).
		node("DequantizeLinear", names("q", "scale"), names("d")).
		node("MatMul", names("x", "d"), names("y")).output("y").model(t)
	prog, err := m.Lower(Config{})
	if err != nil {
		t.Fatal(err)
	}
	cost, err := op.ReduceSum(prog.Outputs[0].Node, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	leaf := prog.Params[m.Params[0]]
	grads, err := engine.Backprop(cost, []*G.Node{leaf})
	if err != nil {
		t.Fatal(err)
	}
	vm, err := engine.Compile([]*G.Node{cost, grads[0]}, prog.Bind)
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	copy(vm.Buffer(prog.Inputs[0].Node).F, []float32{1, 2, 4})
	if err := vm.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	// As uint8, −0.4 and 100 are beyond the range: 0 and 255 steps of 0.25.
	if got, want := vm.Buffer(cost).F[0], float32(0.25+4*63.75); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := vm.Buffer(grads[0]).F, []float32{1, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("got gradient %v, want %v", got, want)
	}
}
