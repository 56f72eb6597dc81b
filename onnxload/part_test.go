package onnxload

import (
	"math/rand/v2"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// A node by itself computes what it does in the model.
func TestIsolate(t *testing.T) {
	m := convNet(t)
	prog, err := m.Lower(Config{Batch: 2, Training: true, Parts: true})
	if err != nil {
		t.Fatal(err)
	}
	in := prog.Inputs[0]
	bind := prog.Bind
	bind[in.Node] = randomInput(rand.New(rand.NewPCG(1, 2)), in)
	var kinds []string
	for _, p := range prog.Parts() {
		kinds = append(kinds, p.Node.Op)
		alone, err := p.Isolate()
		if err != nil {
			t.Fatal(err)
		}
		var read []*G.Node
		for _, in := range alone.Inputs {
			read = append(read, in.From)
		}
		values, err := evaluate(bind, append(read, p.results[0].node)...)
		if err != nil {
			t.Fatal(err)
		}
		for i, in := range alone.Inputs {
			alone.Bind[in.Leaf] = op.Buffer{F: values[i].F, I: values[i].I}
		}
		got, err := evaluate(alone.Bind, alone.Outputs...)
		if err != nil {
			t.Fatal(err)
		}
		if want := values[len(read)].F; len(got) != 1 || !slices.Equal(got[0].F, want) {
			t.Errorf("node %q by itself: got %v, want %v", p.Node.Name, got, want)
		}
	}
	if want := []string{"Conv", "BatchNormalization", "Tanh", "Flatten", "Gemm", "LogSoftmax"}; !slices.Equal(kinds, want) {
		t.Errorf("got parts %q, want %q", kinds, want)
	}
}
