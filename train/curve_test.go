package train

import (
	"context"
	"math"
	"testing"

	"finetune/internal/corpus"
	"finetune/optim"
)

// TestCurve trains a real model on real images beside PyTorch: the same weights,
// the same batches in file order, under the settings of testdata/curve.py, which
// recorded the losses.
func TestCurve(t *testing.T) {
	model := corpus.Path(t, "models/mnist_cnn_torch11.onnx")
	loader := mnist(t)
	var recorded map[string][]float64
	readJSON(t, "testdata/mnist_cnn_torch11.json", &recorded)
	configs := map[string]optim.Config{
		"sgd": {
			Rule: "sgd", LR: optim.Set(1e-3), Momentum: optim.Set(0.9),
			L1: optim.Set(1e-4), L2: optim.Set(1e-3), L1Mode: optim.Subgradient,
		},
		"adamw": {Rule: "adamw", LR: optim.Set(1e-3), WeightDecay: optim.Set(1e-2)},
	}
	const batch, tolerance = 64, 1e-4
	steps := 20
	if raceDetector {
		steps = 1
	}
	for name, want := range recorded {
		m := openModel(t, model)
		cfg := DefaultConfig()
		cfg.Batch = batch
		n, err := newNetwork(m, loader, cfg, true)
		if err != nil {
			t.Fatal(err)
		}
		opt, err := optim.New(m.Params, configs[name])
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for step, loss := range want[:steps] {
			idx := make([]int, batch)
			for i := range idx {
				idx[i] = step*batch + i
			}
			got, err := n.gradients(context.Background(), idx, step+1)
			if err != nil {
				t.Fatal(err)
			}
			opt.Step(1)
			worst = max(worst, math.Abs(got-loss)/loss)
		}
		t.Logf("%s: %d steps, largest relative difference of the loss %.2g", name, steps, worst)
		if worst > tolerance {
			t.Errorf("%s: largest relative difference of the loss: got %.2g, want at most %g", name, worst, tolerance)
		}
	}
}
