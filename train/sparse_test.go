package train

import (
	"context"
	"math"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
)

// prunedModel has convolutions and a product with a tenth of their weights left.
func prunedModel(t *testing.T) *onnxload.Model {
	t.Helper()
	m := newDraft().input("x", -1, 8, 10, 10).
		weight("conv.weight", 16, 8, 3, 3).node("Conv", "conv", "x", "conv.weight").attr("pads", []int64{1, 1, 1, 1}).node("Relu", "act", "conv").
		weight("next.weight", 20, 16, 3, 3).node("Conv", "next", "act", "next.weight").attr("strides", []int64{2, 2}).
		node("Flatten", "flat", "next").dense("fc", "flat", 320, 4).output("fc", -1, 4).
		model(t)
	for _, p := range m.Params {
		if p.Decayed() {
			optim.PruneMagnitude(p, 0.9)
		}
	}
	return m
}

// TestSparseTraining trains with weights that are mostly zero, with and without
// leaving these out, and finds the same losses.
func TestSparseTraining(t *testing.T) {
	losses := func(known bool) (list []float64) {
		m := prunedModel(t)
		cfg := DefaultConfig()
		cfg.Batch = 32
		l := labelled(64, 4, 8, 10, 10).loader(t)
		n, err := newNetwork(m, l, cfg, true)
		if err != nil {
			t.Fatal(err)
		}
		if !known {
			for _, p := range n.pruned {
				p.Set(nil)
			}
		}
		o, err := optim.New(m.Params, cfg.Optim)
		if err != nil {
			t.Fatal(err)
		}
		idx := make([]int, 32)
		for step := range 10 {
			for i := range idx {
				idx[i] = (step*32 + i) % l.Len()
			}
			loss, err := n.gradients(context.Background(), idx, step+1)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, loss)
			o.Step(1)
		}
		return list
	}
	want, got := losses(false), losses(true)
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-5*want[i] {
			t.Errorf("step %d: got a loss of %v, want %v", i, got[i], want[i])
		}
	}
	if want[0] == want[9] {
		t.Error("nothing is learned")
	}
}

// TestSparseEvaluation evaluates a model without masks whose weights are mostly
// zero.
func TestSparseEvaluation(t *testing.T) {
	m := prunedModel(t)
	for _, p := range m.Params {
		p.Mask = nil
	}
	l := labelled(64, 4, 8, 10, 10).loader(t)
	cfg := DefaultConfig()
	got, err := Evaluate(context.Background(), m, l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNetwork(m, l, cfg, false) // which does not know
	if err != nil {
		t.Fatal(err)
	}
	want, err := n.evaluate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.Loss-want.Loss) > 1e-5*want.Loss {
		t.Errorf("got a loss of %v, want %v", got.Loss, want.Loss)
	}
}
