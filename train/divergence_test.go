package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finetune/optim"
)

func diverged(t *testing.T, err error) *DivergedError {
	t.Helper()
	e, ok := errors.AsType[*DivergedError](err)
	if !ok {
		t.Fatalf("got %v, want a DivergedError", err)
	}
	return e
}

// TestHugeLearningRate finds the operation that overflows, and leaves the
// checkpoint of the last epoch before.
func TestHugeLearningRate(t *testing.T) {
	l := labelled(20, 3, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Batch, cfg.CheckpointEvery, cfg.Epochs = 20, 0, 9
	cfg.Schedule, cfg.Warmup = "constant", 3 // rates 0, ⅓, ⅔, 1 times the one below
	cfg.Optim = optim.Default("sgd")
	cfg.Optim.LR = optim.Set(1e18)
	cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
	_, err := Run(context.Background(), mlp().model(t), l, l, cfg)
	e := diverged(t, err)
	if e.Step > 4 || !slices.Contains([]string{"fc1", "fc2", "loss"}, e.Node) || e.Op == "" {
		t.Errorf("got %+v, want a node of the model before step 5", e)
	}
	if !strings.Contains(e.Error(), e.Node) || !strings.Contains(e.Error(), e.Op) {
		t.Errorf("got %q, want node and operation in it", e)
	}
	var s snapshot
	tensors, err := LoadCheckpoint(cfg.Checkpoint, &s)
	if err != nil {
		t.Fatal(err)
	}
	if s.At.Step < 1 || len(tensors) != 4 {
		t.Errorf("got a checkpoint of step %d with %d tensors, want one after the first step with four", s.At.Step, len(tensors))
	}
	for name, tensor := range tensors {
		if !optim.Finite(tensor.F) {
			t.Errorf("the checkpoint's %s is not finite", name)
		}
	}
}

// TestLineSearchTurnsBack tries a step behind which numbers overflow: a line search
// takes a shorter one.
func TestLineSearchTurnsBack(t *testing.T) {
	l := labelled(20, 3, 6).loader(t)
	model := newDraft().input("x", -1, 6).dense("fc1", "x", 6, 16).node("Exp", "act", "fc1").dense("fc2", "act", 16, 3).output("fc2", -1, 3)
	cfg := DefaultConfig()
	cfg.Batch, cfg.Epochs, cfg.Schedule = 20, 2, "constant"
	cfg.Optim = optim.Default("lbfgs")
	cfg.Optim.LR = optim.Set(1e4)
	_, err := Run(context.Background(), model.model(t), l, l, cfg)
	diverged(t, err)
	cfg.Optim.LineSearch = optim.Set(1)
	m := model.model(t)
	result, err := Run(context.Background(), m, l, l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !(result.After.Loss < result.Before.Loss/2) {
		t.Errorf("got loss %g after a loss of %g, want less than half", result.After.Loss, result.Before.Loss)
	}
}

// TestDiverged makes each kind of number that is not finite in its own place.
func TestDiverged(t *testing.T) {
	const huge = 3e38
	nan := float32(math.NaN())
	dense := func() *draft {
		return newDraft().input("x", -1, 6).dense("fc", "x", 6, 3)
	}
	l := labelled(4, 3, 6).loader(t)
	tests := []struct {
		name  string
		draft *draft
		lr    float64
		want  DivergedError
	}{
		{"a weight holds NaN", dense().tensor("c", []float32{1, nan, 1}, 3).node("Add", "y", "fc", "c").output("y", -1, 3), 1e-3,
			DivergedError{What: "the loss is NaN", Step: 1, Node: "c"}},
		{"a trained weight holds NaN", newDraft().input("x", -1, 6).fill("fc.weight", nan, 6, 3).dense("fc2", "x", 6, 3).
			node("MatMul", "a", "x", "fc.weight").node("Add", "y", "a", "fc2").output("y", -1, 3), 1e-3,
			DivergedError{What: "the loss is NaN", Step: 1, Node: "fc.weight"}},
		{"forward", dense().fill("big", huge, 1).node("Mul", "up", "fc", "big").node("Mul", "y", "up", "big").output("y", -1, 3), 1e-3,
			DivergedError{What: "the loss is ", Step: 1, Node: "up"}},
		// The scores are equal and about 1e22, and the gradient of the weights is 1e60.
		{"backward", newDraft().input("x", -1, 6).fill("fc.weight", 1e-38, 6, 3).fill("up", 1e30, 1).
			node("MatMul", "product", "x", "fc.weight").node("Mul", "up1", "product", "up").node("Mul", "y", "up1", "up").
			output("y", -1, 3), 1e-3,
			DivergedError{What: "a gradient is not finite", Step: 1, Node: "gradient of up1"}},
		{"update", newDraft().input("x", -1, 6).fill("hundred", 100, 1).node("Mul", "scaled", "x", "hundred").
			dense("fc", "scaled", 6, 3).output("fc", -1, 3), 3e38,
			DivergedError{What: "a parameter is not finite", Step: 1, Node: "fc.weight"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := test.draft.model(t)
			for _, p := range m.Params {
				p.Trainable = strings.HasPrefix(p.Name, "fc")
			}
			cfg := DefaultConfig()
			cfg.Epochs, cfg.Batch, cfg.Schedule = 1, 4, "constant"
			cfg.Optim = optim.Default("sgd")
			cfg.Optim.LR = optim.Set(test.lr)
			_, err := Run(context.Background(), m, l, nil, cfg)
			t.Log(err)
			e := diverged(t, err)
			if !strings.HasPrefix(e.What, test.want.What) || e.Step != test.want.Step || test.want.Node != "" && e.Node != test.want.Node {
				t.Errorf("got %+v, want %+v", e, test.want)
			}
		})
	}
}

// TestCheckpointStaysGood overflows in the second step, whose checkpoint must not
// replace that of the first.
func TestCheckpointStaysGood(t *testing.T) {
	m := newDraft().input("x", -1, 6).fill("hundred", 100, 1).node("Mul", "scaled", "x", "hundred").
		dense("fc", "scaled", 6, 3).output("fc", -1, 3).model(t)
	cfg := DefaultConfig()
	cfg.Batch, cfg.CheckpointEvery, cfg.Schedule, cfg.Warmup = 20, 0, "constant", 2
	cfg.Optim = optim.Default("sgd")
	cfg.Optim.LR = optim.Set(3e38)
	cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
	_, err := Run(context.Background(), m, labelled(20, 3, 6).loader(t), nil, cfg)
	if e := diverged(t, err); e.Step != 2 || e.What != "a parameter is not finite" {
		t.Errorf("got %+v, want a parameter that is not finite at step 2", e)
	}
	var s snapshot
	if _, err := LoadCheckpoint(cfg.Checkpoint, &s); err != nil || s.At.Step != 1 {
		t.Errorf("got %v, a checkpoint of step %d, want that of step 1", err, s.At.Step)
	}
}

// TestInfinityThatIsMeant leaves a mask of −∞ as it is and trains what is beside it.
func TestInfinityThatIsMeant(t *testing.T) {
	m := newDraft().input("x", -1, 6).dense("fc", "x", 6, 4).
		tensor("mask", []float32{0, 0, 0, float32(math.Inf(-1))}, 4).node("Add", "y", "fc", "mask").output("y", -1, 4).model(t)
	mask := param(t, m, "mask")
	mask.Trainable = true
	before := slices.Clone(mask.Value)
	cfg := DefaultConfig()
	cfg.Checkpoint, cfg.CheckpointEvery = filepath.Join(t.TempDir(), "run.safetensors"), 0
	l := labelled(20, 3, 6).loader(t)
	if _, err := Evaluate(context.Background(), m, l, cfg); err != nil || !mask.Trainable {
		t.Errorf("got %v, trainable %v, want an evaluation that leaves the mask trainable", err, mask.Trainable)
	}
	result, said := mustRun(t, m, l, l, cfg)
	if !slices.Equal(mask.Value, before) || result.After.Loss >= result.Before.Loss {
		t.Errorf("got mask %v and %+v, want the mask as before and a loss that falls", mask.Value, result)
	}
	if len(said) != 1 || !strings.Contains(said[0], `"mask"`) {
		t.Errorf("got %q, want a note about the mask", said)
	}
}

// TestHeldOutDiverges says so of a model that spoils the examples it is measured
// on: there is no way to go on from that.
func TestHeldOutDiverges(t *testing.T) {
	held := labelled(4, 3, 6)
	held.x[2][0][0] = math.MaxFloat32
	m := newDraft().input("x", -1, 6).fill("ten", 10, 1).node("Mul", "scaled", "x", "ten").
		dense("fc", "scaled", 6, 3).output("fc", -1, 3).model(t)
	_, err := Run(context.Background(), m, labelled(20, 3, 6).loader(t), held.loader(t), DefaultConfig())
	if e := diverged(t, err); e.Step != 0 || e.Node != "scaled" {
		t.Errorf("got %+v, want node scaled and no step", e)
	}
}
