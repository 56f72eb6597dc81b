package train

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/train/data"
)

// scoresOf computes an mlp's scores by hand, in float64.
func scoresOf(t *testing.T, m *onnxload.Model, x []float32) []float64 {
	t.Helper()
	layer := func(name string, in []float64) []float64 {
		w, b := param(t, m, name+".weight"), param(t, m, name+".bias")
		out := make([]float64, len(b.Value))
		for j := range out {
			out[j] = float64(b.Value[j])
			for i, v := range in {
				out[j] += v * float64(w.Value[i*len(out)+j])
			}
		}
		return out
	}
	in := make([]float64, len(x))
	for i, v := range x {
		in[i] = float64(v)
	}
	hidden := layer("fc1", in)
	for i, v := range hidden {
		hidden[i] = max(0, v)
	}
	return layer("fc2", hidden)
}

// metricsByHand of an mlp on labelled examples.
func metricsByHand(t *testing.T, m *onnxload.Model, e *examples) (loss, accuracy float64) {
	t.Helper()
	for i, x := range e.x {
		scores, label := scoresOf(t, m, x[0]), int(e.y[i][0])
		sum, best := 0.0, 0
		for c, s := range scores {
			sum += math.Exp(s)
			if s > scores[best] {
				best = c
			}
		}
		loss += math.Log(sum) - scores[label]
		if best == label {
			accuracy++
		}
	}
	n := float64(e.Len())
	return loss / n, accuracy / n
}

// TestEvaluate counts every example, whatever the batch leaves for the last one.
func TestEvaluate(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 20} {
		src := labelled(n, 3, 6)
		m := mlp().model(t)
		loss, accuracy := metricsByHand(t, m, src)
		for _, batch := range [][2]int{{1, 0}, {8, 0}, {8, 3}, {100, 0}, {100, 8}} {
			cfg := DefaultConfig()
			cfg.Batch, cfg.MicroBatch = batch[0], batch[1]
			got, err := Evaluate(context.Background(), m, src.loader(t), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if got.Examples != n || math.Abs(got.Loss-loss) > 1e-6 || math.Abs(*got.Accuracy-accuracy) > 1e-12 {
				t.Errorf("%d examples, batch %v: got %d, loss %v, accuracy %v, want loss %v, accuracy %v",
					n, batch, got.Examples, got.Loss, *got.Accuracy, loss, accuracy)
			}
		}
		// The same through Run, which measures the model before it trains it.
		cfg := DefaultConfig()
		cfg.Batch, cfg.Epochs = 8, 1
		result, _ := mustRun(t, m, src.loader(t), src.loader(t), cfg)
		if got := result.Before; got.Examples != n || math.Abs(got.Loss-loss) > 1e-6 || *got.Accuracy != accuracy {
			t.Errorf("%d examples, before training: got %+v, want loss %v, accuracy %v", n, got, loss, accuracy)
		}
		if loss, accuracy := metricsByHand(t, m, src); math.Abs(result.After.Loss-loss) > 1e-6 || *result.After.Accuracy != accuracy {
			t.Errorf("%d examples, after training: got %+v, want loss %v, accuracy %v", n, result.After, loss, accuracy)
		}
	}
}

// TestTrainingLossCountsEveryExample compares the loss that an epoch reports,
// at a learning rate of zero, with that of an evaluation.
func TestTrainingLossCountsEveryExample(t *testing.T) {
	src := labelled(20, 3, 6)
	m := mlp().model(t)
	loss, _ := metricsByHand(t, m, src)
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.Warmup = 1, 8, 1000 // steps, the first of them at rate 0
	cfg.MicroBatch = 3
	cfg.Warmup = 1e9
	result, _ := mustRun(t, m, src.loader(t), nil, cfg)
	if math.Abs(result.Loss-loss) > 1e-5 || result.Steps != 3 {
		t.Errorf("got loss %v in %d steps, want %v in 3", result.Loss, result.Steps, loss)
	}
}

// TestTies gives the first of equal scores the label.
func TestTies(t *testing.T) {
	var got tally
	got.classify([]float32{1, 1, 0, 0, 2, 2, 3, 3, 3}, []int64{0, 1, 0}, 3)
	got.classify([]float32{0, 0, 0}, []int64{2}, 3)
	if got.right != 3 || got.labels != 4 {
		t.Errorf("got %d of %d right, want 3 of 4", got.right, got.labels)
	}
}

// TestEvaluateBuildsNoGradients also holds Evaluate to running statistics and to
// dropping nothing, whatever the configuration says of training.
func TestEvaluateBuildsNoGradients(t *testing.T) {
	m := convnet().model(t)
	before := values(m)
	l := labelled(20, 3, 1, 6, 6).loader(t)
	cfg := DefaultConfig()
	want, err := Evaluate(context.Background(), m, l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.BatchNorm, cfg.Seed = onnxload.BatchNormTrain, 5
	got, err := Evaluate(context.Background(), m, l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got.Loss != want.Loss {
		t.Errorf("got loss %v, want %v as with frozen statistics and another seed", got.Loss, want.Loss)
	}
	if !equalValues(values(m), before) {
		t.Error("the model was changed")
	}
	for _, p := range m.Params {
		if p.Grad != nil {
			t.Errorf("%s: got a gradient, want none", p.Name)
		}
	}
	n, err := newNetwork(m, l, cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	trained, err := newNetwork(m, l, cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	if got, all := n.passes[20].machine.Bytes(), trained.passes[20].machine.Bytes(); got*2 > all {
		t.Errorf("got %d bytes to evaluate with, want less than half of the %d to train with", got, all)
	}
}

func TestEvaluateStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Evaluate(ctx, mlp().model(t), labelled(20, 3, 6).loader(t), DefaultConfig())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// TestHeldOutIsOfTheSameTask refuses to measure something else than is trained.
func TestHeldOutIsOfTheSameTask(t *testing.T) {
	held := numbered(5, 3, 6)
	_, err := Run(context.Background(), mlp().model(t), labelled(20, 3, 6).loader(t), held.loader(t), DefaultConfig())
	if err == nil || !strings.Contains(err.Error(), "cross-entropy") || !strings.Contains(err.Error(), "mse") {
		t.Errorf("got %v, want an error with both losses", err)
	}
	held = labelled(5, 3, 6)
	held.fields = []data.Field{{Name: "x", Shape: []int{2, 2}}}
	_, err = Run(context.Background(), mlp().model(t), labelled(20, 3, 6).loader(t), held.loader(t), DefaultConfig())
	if err == nil || !strings.Contains(err.Error(), "(6)") || !strings.Contains(err.Error(), "(2, 2)") {
		t.Errorf("got %v, want an error with both shapes", err)
	}
}
