package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// runUntil trains a new model until stop says so of an event, never if it is nil.
func runUntil(t *testing.T, m *onnxload.Model, l, held *data.Loader, cfg Config, stop func(Event) bool) (*Result, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg.Observe = func(e Event) {
		if stop != nil && stop(e) {
			cancel()
		}
	}
	return Run(ctx, m, l, held, cfg)
}

// values are the bytes of all parameters.
func values(m *onnxload.Model) [][]float32 {
	var list [][]float32
	for _, p := range m.Params {
		list = append(list, slices.Clone(p.Value))
	}
	return list
}

func equalValues(a, b [][]float32) bool { return slices.EqualFunc(a, b, slices.Equal[[]float32]) }

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The checkpoint at the end of the last epoch holds all that a run remembers:
// weights, running statistics, masks, the optimizer's slots and its position. So
// a run that was stopped and resumed is the same if that file is.
func TestResumeIsUninterrupted(t *testing.T) {
	base := func() Config {
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch, cfg.CheckpointEvery = 3, 8, 0
		cfg.Optim.LR = optim.Set(0.01)
		return cfg
	}
	tests := []struct {
		name   string
		change func(*Config)
	}{
		{"adamw", func(c *Config) {}},
		{"batch norm and dropout", func(c *Config) { c.BatchNorm = onnxload.BatchNormTrain }},
		{"micro-batches", func(c *Config) { c.BatchNorm, c.MicroBatch = onnxload.BatchNormTrain, 3 }},
		{"momentum", func(c *Config) {
			c.Optim = optim.Default("sgd")
			c.Optim.Momentum, c.Optim.Nesterov, c.Optim.L1 = optim.Set(0.9), optim.Set(1), optim.Set(1e-3)
		}},
		{"no slots", func(c *Config) { c.Optim = optim.Default("sgd") }},
		{"adam with warm-up and clipping", func(c *Config) {
			c.Optim = optim.Default("adam")
			c.Warmup, c.Clip = 0.3, Clip{Norm: 0.5, Value: 0.1}
		}},
		{"pruning", func(c *Config) {
			c.Prune.Sparsity, c.Prune.Begin, c.Prune.End = optim.Set(0.8), 0.2, 0.9
			c.Prune.Threshold = optim.Set(0.02)
		}},
		{"global pruning", func(c *Config) {
			c.Prune.Sparsity, c.Prune.Global = optim.Set(0.7), true
			c.Optim = optim.Default("sgd")
			c.Optim.Momentum = optim.Set(0.9)
		}},
		{"pruning by movement", func(c *Config) { c.Prune.Sparsity, c.Prune.Score, c.Prune.End = optim.Set(0.8), optim.Movement, 0.9 }},
		{"pruning by inputs, by shape", func(c *Config) {
			c.Prune.Sparsity, c.Prune.Score, c.Prune.Kernel = optim.Set(0.8), optim.Wanda, true
		}},
		{"pruning from the start", func(c *Config) {
			c.Prune.Sparsity, c.Prune.Score, c.Prune.Global, c.MicroBatch = optim.Set(0.6), optim.SNIP, true, 3
			c.BatchNorm = onnxload.BatchNormTrain
		}},
		{"pruning at random, in blocks", func(c *Config) {
			c.Prune.Sparsity, c.Prune.Score, c.Prune.Pattern = optim.Set(0.5), optim.Random, "2x1"
			c.Prune.Deviations = optim.Set(0.1)
		}},
		{"pruning of neighbours", func(c *Config) { c.Prune.Pattern, c.Prune.KeepZeros = "2:4", true }},
		{"regrowth by gradients", func(c *Config) {
			c.Prune.Sparsity, c.Prune.End, c.Prune.Regrow = optim.Set(0.6), 0.9, optim.RigL
			c.MicroBatch, c.BatchNorm = 3, onnxload.BatchNormTrain
		}},
		{"regrowth at random", func(c *Config) {
			c.Prune.Sparsity, c.Prune.End, c.Prune.Regrow = optim.Set(0.6), 0.9, optim.SET
			c.Prune.KeepZeros, c.Prune.RegrowFraction = true, 0.5
			c.Average = Average{Kind: optim.EMA, Decay: 0.9}
		}},
		{"mean of the weights", func(c *Config) {
			c.Average, c.BatchNorm = Average{Kind: optim.EMA, Decay: 0.9}, onnxload.BatchNormTrain
			c.Clip, c.Centralize = Clip{Adaptive: 0.01}, true
			c.Prune.Sparsity = optim.Set(0.5)
		}},
		{"mean of the weights of epochs, on plateaus", func(c *Config) {
			c.Average = Average{Kind: optim.SWA, From: 0.3, Every: "2"}
			c.Schedule = "plateau:patience=0,threshold=10,factor=0.5"
			c.Optim.L2SP = optim.Set(1e-2)
		}},
		{"pruning of what is frozen", func(c *Config) {
			s, err := optim.ParseSettings("bn.scale=0.5", "fc.weight=0.5")
			if err != nil {
				t.Fatal(err)
			}
			c.Prune.Sparsity = s
		}},
	}
	// 20 examples make 3 steps an epoch, the last of 4 examples, 9 in all.
	l := labelled(20, 3, 1, 6, 6).loader(t)
	held := labelled(7, 3, 1, 6, 6).loader(t)
	fresh := func(name string) *onnxload.Model {
		m := convnet().model(t)
		switch name {
		case "pruning of what is frozen":
			param(t, m, "bn.scale").Trainable = false
		case "regrowth at random":
			clear(param(t, m, "fc.weight").Value[:100])
		}
		return m
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := base()
			test.change(&cfg)
			cfg.Checkpoint = filepath.Join(dir, "whole.safetensors")
			whole := fresh(test.name)
			want, err := runUntil(t, whole, l, held, cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			state := readFile(t, cfg.Checkpoint)
			for _, stops := range [][]int{{1}, {2}, {3}, {4, 5, 8}, {6}, {7}, {9}} {
				cfg := cfg
				cfg.Checkpoint = filepath.Join(dir, "stopped.safetensors")
				for _, stop := range stops {
					_, err := runUntil(t, fresh(test.name), l, held, cfg, func(e Event) bool { return e.Kind == Stepped && e.Step == stop })
					e, ok := errors.AsType[*InterruptedError](err)
					if !ok {
						t.Fatalf("stopped at step %d: got %v, want an InterruptedError", stop, err)
					}
					if e.Step != stop || e.Steps != 9 || e.Checkpoint != cfg.Checkpoint || !errors.Is(err, context.Canceled) {
						t.Errorf("stopped at step %d: got %+v", stop, e)
					}
					cfg.Resume = true
				}
				m := fresh(test.name)
				got, err := runUntil(t, m, l, held, cfg, nil)
				if err != nil {
					t.Fatalf("stopped at %v: %v", stops, err)
				}
				if !equalValues(values(m), values(whole)) {
					t.Errorf("stopped at %v: got other parameters than those of an uninterrupted run", stops)
				}
				if !bytes.Equal(readFile(t, cfg.Checkpoint), state) {
					t.Errorf("stopped at %v: got another state at the end than that of an uninterrupted run", stops)
				}
				if got.Loss != want.Loss || *got.Before.Accuracy != *want.Before.Accuracy || got.After.Loss != want.After.Loss ||
					got.Steps != want.Steps || got.Sparsity != want.Sparsity {
					t.Errorf("stopped at %v: got %+v, want %+v", stops, got, want)
				}
			}
		})
	}
}

// A run may be stopped where nothing is left of an epoch but to measure it, and
// TestResumeInTheEnd stops while the mean of the weights is measured for good.
func TestResumeInTheEnd(t *testing.T) {
	for _, mode := range []onnxload.BatchNormMode{onnxload.BatchNormFrozen, onnxload.BatchNormTrain} {
		t.Run(string(mode), func(t *testing.T) { testResumeInTheEnd(t, mode) })
	}
}

func testResumeInTheEnd(t *testing.T, mode onnxload.BatchNormMode) {
	l := labelled(20, 3, 1, 6, 6).loader(t)
	cfg := DefaultConfig()
	cfg.BatchNorm = mode
	cfg.Epochs, cfg.Batch = 2, 8
	cfg.Average = Average{Kind: optim.SWA, Every: "1"}
	cfg.Prune.Threshold = optim.Set(0.05)
	whole := convnet().model(t)
	if _, err := runUntil(t, whole, l, l, cfg, nil); err != nil {
		t.Fatal(err)
	}
	cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
	_, err := runUntil(t, convnet().model(t), l, l, cfg, func(e Event) bool { return e.Kind == EpochDone && e.Epoch == 2 })
	if _, ok := errors.AsType[*InterruptedError](err); !ok {
		t.Fatalf("got %v, want an InterruptedError", err)
	}
	cfg.Resume = true
	resumed := convnet().model(t)
	if _, err := runUntil(t, resumed, l, l, cfg, nil); err != nil {
		t.Fatal(err)
	}
	for i, p := range whole.Params {
		if !slices.Equal(resumed.Params[i].Value, p.Value) {
			t.Errorf("%s: got %v resumed, want %v", p.Name, resumed.Params[i].Value, p.Value)
		}
	}
}

// TestResumeEveryRule stops and resumes each rule, with penalties that remember
// the start and a schedule of their own, in the middle of an epoch.
func TestResumeEveryRule(t *testing.T) {
	l := labelled(20, 3, 1, 6, 6).loader(t)
	for _, rule := range optim.Rules() {
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch, cfg.Optim = 2, 8, optim.Default(rule.Name)
		cfg.Optim.L1SP, cfg.Optim.Group = optim.Set(1e-3), optim.Set(1e-3)
		var err error
		if cfg.Optim.L1, err = optim.ParseSettings("1e-3@linear:from=0,to=1"); err != nil {
			t.Fatal(err)
		}
		if rule.Closure { // it has no such penalties, and wants all examples at once
			cfg.Optim.L1SP, cfg.Optim.Group, cfg.Optim.L1 = nil, nil, nil
			cfg.Optim.L2, cfg.Optim.Iterations, cfg.Optim.LineSearch = optim.Set(1e-3), optim.Set(2), optim.Set(1)
			cfg.Epochs, cfg.Batch = 6, l.Len()
		}
		cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
		whole := convnet().model(t)
		if _, err := runUntil(t, whole, l, nil, cfg, nil); err != nil {
			t.Fatal(err)
		}
		_, err = runUntil(t, convnet().model(t), l, nil, cfg, func(e Event) bool { return e.Kind == Stepped && e.Step == 4 })
		if _, ok := errors.AsType[*InterruptedError](err); !ok {
			t.Fatalf("%s: got %v, want an InterruptedError", rule.Name, err)
		}
		cfg.Resume = true
		resumed := convnet().model(t)
		if _, err := runUntil(t, resumed, l, nil, cfg, nil); err != nil {
			t.Fatal(err)
		}
		for i, p := range whole.Params {
			for j, w := range p.Value {
				if got := resumed.Params[i].Value[j]; math.Float32bits(got) != math.Float32bits(w) {
					t.Fatalf("%s: %s[%d]: got %g resumed, want %g", rule.Name, p.Name, j, got, w)
				}
			}
		}
	}
}

// before there is anything to save.
func TestInterruptedElsewhere(t *testing.T) {
	l, held := labelled(20, 3, 6).loader(t), labelled(7, 3, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Batch, cfg.CheckpointEvery = 8, 0
	cfg.Prune.Threshold = optim.Set(0.05)
	want := mlp().model(t)
	if _, err := runUntil(t, want, l, held, cfg, nil); err != nil {
		t.Fatal(err)
	}

	cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
	_, err := runUntil(t, mlp().model(t), l, held, cfg, func(e Event) bool { return e.Kind == Started })
	if e, ok := errors.AsType[*InterruptedError](err); !ok || e.Checkpoint != "" || e.Step != 0 {
		t.Errorf("stopped before the first step: got %v, want an InterruptedError without a checkpoint", err)
	}
	if _, err := os.Stat(cfg.Checkpoint); err == nil {
		t.Error("stopped before the first step: got a checkpoint, want none")
	}

	// Behind the last epoch the threshold is still to come.
	for _, kind := range []EventKind{EpochDone, Saved} {
		for epoch := 1; epoch <= 3; epoch++ {
			seen := 0
			_, err := runUntil(t, mlp().model(t), l, held, cfg, func(e Event) bool {
				if e.Kind == kind {
					seen++
				}
				return seen == epoch
			})
			if _, ok := errors.AsType[*InterruptedError](err); !ok {
				t.Fatalf("stopped by %s %d: got %v, want an InterruptedError", kind, epoch, err)
			}
			again := cfg
			again.Resume = true
			m := mlp().model(t)
			if _, err := runUntil(t, m, l, held, again, nil); err != nil {
				t.Fatal(err)
			}
			if !equalValues(values(m), values(want)) {
				t.Errorf("stopped by %s %d: got other parameters than those of an uninterrupted run", kind, epoch)
			}
		}
	}
}

// TestInterruptedWithinStep is done with the step before it stops.
func TestInterruptedWithinStep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	src := &cancelling{examples: labelled(20, 3, 6), cancel: cancel, after: 3 + 6 + 2}
	l, err := data.NewLoader(src, data.LoaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Batch, cfg.MicroBatch = 6, 2
	cfg.Temperature = 1 // which needs no examples
	cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
	_, err = Run(ctx, mlp().model(t), l, nil, cfg)
	if e, ok := errors.AsType[*InterruptedError](err); !ok || e.Step != 2 || e.Checkpoint == "" {
		t.Errorf("got %v, want an InterruptedError with a checkpoint after step 2", err)
	}
}

// cancelling cancels a context once so many examples were read in training:
// those before tell what the data is like.
type cancelling struct {
	*examples
	cancel func()
	after  int
}

func (c *cancelling) Example(i int, in [][]float32, target []float32) error {
	if in != nil {
		if c.after--; c.after == 0 {
			c.cancel()
		}
	}
	return c.examples.Example(i, in, target)
}

// TestCheckpointEvery saves before each step once the time has come, and not at
// the ends of epochs.
func TestCheckpointEvery(t *testing.T) {
	for every, want := range map[time.Duration]int{time.Nanosecond: 9, time.Hour: 0, 0: 3} {
		saved := 0
		cfg := DefaultConfig()
		cfg.Batch, cfg.CheckpointEvery = 8, every
		cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
		_, err := runUntil(t, mlp().model(t), labelled(20, 3, 6).loader(t), nil, cfg, func(e Event) bool {
			if e.Kind == Saved {
				saved++
				if e.Text != cfg.Checkpoint {
					t.Errorf("got a checkpoint at %q, want %q", e.Text, cfg.Checkpoint)
				}
			}
			return false
		})
		if err != nil {
			t.Fatal(err)
		}
		if saved != want {
			t.Errorf("every %v: got %d checkpoints, want %d", every, saved, want)
		}
	}
}

// TestResumeRefuses changes one thing at a time between a run and its resumption.
func TestResumeRefuses(t *testing.T) {
	src := labelled(20, 3, 6)
	path := filepath.Join(t.TempDir(), "run.safetensors")
	cfg := DefaultConfig()
	cfg.Optim = optim.Default("sgd") // which keeps nothing that would tell models apart
	cfg.Batch, cfg.Checkpoint = 8, path
	_, err := runUntil(t, mlp().model(t), src.loader(t), nil, cfg, func(e Event) bool { return e.Step == 4 })
	if _, ok := errors.AsType[*InterruptedError](err); !ok {
		t.Fatal(err)
	}
	good := readFile(t, path)
	cfg.Resume = true

	edit := func(change func(map[string]Tensor, *snapshot)) func() {
		return func() {
			var s snapshot
			tensors, err := LoadCheckpoint(path, &s)
			if err != nil {
				t.Fatal(err)
			}
			change(tensors, &s)
			if err := SaveCheckpoint(path, tensors, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	m, l, now := mlp().model(t), src.loader(t), cfg
	tests := []struct {
		name   string
		change func()
		want   []string
	}{
		{"another model", func() { m = convnet().model(t); l = labelled(20, 3, 1, 6, 6).loader(t) }, []string{"another model"}},
		{"fewer examples", func() { l = labelled(19, 3, 6).loader(t) }, []string{"20 examples", "19 now"}},
		{"other scale", func() {
			l, err = data.NewLoader(src, data.LoaderOptions{Scale: 0.5})
			if err != nil {
				t.Fatal(err)
			}
		}, []string{"other examples"}},
		{"settings", func() {
			now.Epochs, now.Seed, now.Optim.LR, now.Prune.Sparsity = 4, 1<<63+1, optim.Set(0.5), optim.Set(0.3)
		}, []string{"epochs was 3 and is 4", "seed was 0 and is 9223372036854775809", "lr was not given and is 0.5", "prune sparsity was not given and is 0.3"}},
		{"another rule", func() { now.Optim = optim.Default("adam") }, []string{`rule was "sgd" and is "adam"`}},
		{"a parameter frozen", func() { param(t, m, "fc1.weight").Trainable = false }, []string{"param/fc1.weight"}},
		{"damaged", func() {
			bad := slices.Clone(good)
			bad[len(bad)-1] ^= 1
			write(t, path, bad)
		}, []string{"damaged"}},
		{"cut off", func() { write(t, path, good[:len(good)/2]) }, []string{"cut off"}},
		{"missing", func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, []string{"there is no checkpoint"}},
		{"a parameter missing", edit(func(ts map[string]Tensor, _ *snapshot) { delete(ts, "param/fc1.bias") }), []string{"fc1.bias"}},
		{"a parameter cut", edit(func(ts map[string]Tensor, _ *snapshot) {
			ts["param/fc1.bias"] = Tensor{Shape: []int{2}, F: []float32{1, 2}}
		}), []string{"param/fc1.bias", "16"}},
		{"a mask of numbers", edit(func(ts map[string]Tensor, _ *snapshot) {
			ts["mask/fc1.bias"] = Tensor{Shape: []int{16}, F: make([]float32, 16)}
		}), []string{"mask/fc1.bias"}},
		{"a parameter of flags", edit(func(ts map[string]Tensor, _ *snapshot) {
			ts["param/fc1.bias"] = Tensor{Shape: []int{16}, Bool: make([]bool, 16)}
		}), []string{"param/fc1.bias"}},
		{"a slot too many", edit(func(ts map[string]Tensor, _ *snapshot) {
			ts["slot/momentum/fc1.bias"] = Tensor{Shape: []int{16}, F: make([]float32, 16)}
		}), []string{"momentum"}},
		{"done below zero", edit(func(_ map[string]Tensor, s *snapshot) { s.At.Done = -8 }), []string{"not possible"}},
		{"done beyond the end", edit(func(_ map[string]Tensor, s *snapshot) { s.At.Done = 24 }), []string{"not possible"}},
		{"done between batches", edit(func(_ map[string]Tensor, s *snapshot) { s.At.Done = 7 }), []string{"not possible"}},
		{"epochs beyond the end", edit(func(_ map[string]Tensor, s *snapshot) { s.At.Epoch = 7 }), []string{"not possible"}},
		{"another step", edit(func(_ map[string]Tensor, s *snapshot) { s.At.Step = 5 }), []string{"not possible"}},
		{"steps of the rule", edit(func(_ map[string]Tensor, s *snapshot) { s.RuleSteps = -1 }), []string{"negative"}},
	}
	for _, test := range tests {
		write(t, path, good)
		m, l, now = mlp().model(t), src.loader(t), cfg
		test.change()
		before := values(m)
		_, err := Run(context.Background(), m, l, nil, now)
		if err == nil {
			t.Errorf("%s: got no error", test.name)
			continue
		}
		for _, want := range append(test.want, path) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", test.name, err, want)
			}
		}
		if !equalValues(values(m), before) {
			t.Errorf("%s: the model was changed", test.name)
		}
	}
	if _, err := LoadCheckpoint(path, new(snapshot)); err != nil {
		t.Errorf("got %v, want the refused checkpoint untouched", err)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}
