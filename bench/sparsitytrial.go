package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"finetune/onnxload"
	"finetune/train"
)

// trial is one run of the study.
type trial struct {
	Model    string  `json:"model"`
	Method   string  `json:"method"`
	Level    float64 `json:"level"`
	Seed     int     `json:"seed"`
	Sparsity float64 `json:"sparsity"`
	Accuracy float64 `json:"accuracy"`
	Before   float64 `json:"before,omitempty"` // of the model as it came
}

// ours is a way of this library.
type ours struct {
	// before prunes the model as it comes, and what it prunes stays; nil does not.
	before func(*onnxload.Model, float64) error
	change func(*train.Config, float64) // nil leaves the defaults
}

func (o ours) try(s *study, sub subject, level float64, seed int) (trial, error) {
	model, err := onnxload.Open(filepath.Join(s.corpus, "models", sub.name+".onnx"))
	if err != nil {
		return trial{}, err
	}
	if o.before != nil {
		if err := o.before(model, level); err != nil {
			return trial{}, err
		}
	}
	training, err := sub.loader(s.corpus, "train")
	if err != nil {
		return trial{}, err
	}
	held, err := sub.loader(s.corpus, "test")
	if err != nil {
		return trial{}, err
	}
	cfg := train.DefaultConfig()
	cfg.Epochs, cfg.Seed = sub.epochs, uint64(seed)
	if o.change != nil {
		o.change(&cfg, level)
	}
	result, err := train.Run(context.Background(), model, training, held, cfg)
	if err != nil {
		return trial{}, err
	}
	return trial{Sparsity: result.Sparsity, Accuracy: *result.After.Accuracy, Before: *result.Before.Accuracy}, nil
}

// theirs is a way of PyTorch: one shot, and as many epochs as ours.
type theirs struct {
	scope    string                // "global" or "layer"
	rate     func(float64) float64 // of learning, by the level
	tempered bool                  // with the subject's temperature
}

func (w theirs) try(s *study, sub subject, level float64, seed int) (trial, error) {
	_, file, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(file), "torch", "prune.py")
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	temperature := 1.0
	if w.tempered {
		temperature = sub.temperature
	}
	out, err := exec.Command(s.python.python, script, s.corpus, sub.name,
		number(level), number(w.rate(level)), strconv.Itoa(sub.epochs), w.scope, strconv.Itoa(seed), number(temperature)).Output()
	if err != nil {
		return trial{}, err
	}
	var t trial
	if _, err := fmt.Sscan(string(out), &t.Sparsity, &t.Accuracy); err != nil {
		return trial{}, fmt.Errorf("%s: %w in %q", script, err, out)
	}
	return t, nil
}
