package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
	"finetune/train/data"
)

// sparsityVerb makes the study of pruning, docs/sparsity.md.
const sparsityVerb = "sparsity"

// subject is a model of the study, with how its pixels are scaled.
type subject struct {
	name      string // of the file
	data      string // folder of the corpus; or a file, and
	test      string // that of the test
	options   data.LoaderOptions
	batchNorm bool
	epochs    int
}

var subjects = []subject{
	{name: "mnist_cnn_bn_torch20", data: "datasets/mnist", batchNorm: true, epochs: 1,
		options: data.LoaderOptions{Scale: 1. / 255, Mean: []float64{0.1307}, Std: []float64{0.3081}}},
	{name: "mnist_cnn_torch11", data: "datasets/mnist", epochs: 1},
	{name: "cifar_cnn_winml", data: "datasets/cifar10/train_first5000.bin", test: "datasets/cifar10/test_batch_first1000.bin", epochs: 3,
		options: data.LoaderOptions{Scale: 1. / 255, Mean: []float64{0.5}, Std: []float64{0.5}}},
}

var levels = []float64{0.5, 0.8, 0.9, 0.95, 0.98}

// method is a way to a sparsity.
type method struct {
	name   string
	levels []float64 // nil is all
	only   func(subject) bool
	// before prunes the model as it comes, and what it prunes stays.
	before func(*onnxload.Model, float64) error
	change func(*train.Config, float64)
}

func along(level float64, p train.Pruning) train.Pruning {
	p.Sparsity, p.End = optim.Set(level), 0.75
	return p
}

var methods = []method{
	{name: "dense", levels: []float64{0}, change: func(*train.Config, float64) {}},
	{name: "threshold", before: oneThreshold, change: func(c *train.Config, _ float64) {
		c.Prune.KeepZeros = true
		c.Optim.LR = optim.Set(train.PruningLR)
	}},
	{name: "magnitude, cubic", change: func(c *train.Config, level float64) {
		c.Prune = along(level, train.Pruning{Global: true})
	}},
	{name: "movement", change: func(c *train.Config, level float64) {
		c.Prune = along(level, train.Pruning{Global: true, Score: optim.Movement})
	}},
	{name: "2:4", levels: []float64{0.5}, change: func(c *train.Config, _ float64) {
		c.Prune = train.Pruning{Pattern: "2:4", End: 0.75}
	}},
	{name: "magnitude, cubic, BatchNorm trained", only: func(s subject) bool { return s.batchNorm }, change: func(c *train.Config, level float64) {
		c.Prune = along(level, train.Pruning{Global: true})
		c.BatchNorm = onnxload.BatchNormTrain
	}},
	{name: "filters", levels: []float64{0.5, 0.8, 0.9}, change: func(c *train.Config, level float64) {
		c.Prune = along(level, train.Pruning{Pattern: "filters", DenseLast: true})
	}},
	{name: "proximal L1", change: func(c *train.Config, level float64) {
		c.Prune = along(level, train.Pruning{Global: true})
		c.Optim.L1, c.Optim.L1Mode = optim.Set(1e-3), optim.Proximal
	}},
	{name: "magnitude, by layer", change: func(c *train.Config, level float64) {
		c.Prune = along(level, train.Pruning{})
	}},
	{name: "SNIP", levels: []float64{0.9, 0.98}, change: func(c *train.Config, level float64) {
		c.Prune = train.Pruning{Sparsity: optim.Set(level), Global: true, Score: optim.SNIP}
	}},
	{name: "magnitude, Erdős–Rényi", change: func(c *train.Config, level float64) {
		c.Prune = along(level, train.Pruning{Kernel: true})
	}},
	{name: "random", levels: []float64{0.5, 0.9}, change: func(c *train.Config, level float64) {
		c.Prune = along(level, train.Pruning{Score: optim.Random})
	}},
}

// at are the levels that a method is tried at.
func (m method) at() []float64 {
	if m.levels != nil {
		return m.levels
	}
	return levels
}

// oneThreshold zeroes the weights of all layers below one threshold, the one that
// gives the sparsity.
func oneThreshold(m *onnxload.Model, level float64) error {
	var sizes []float64
	for _, p := range m.Params {
		if p.Decayed() {
			for _, w := range p.Value {
				sizes = append(sizes, math.Abs(float64(w)))
			}
		}
	}
	slices.Sort(sizes)
	limit := sizes[int(math.Round(level*float64(len(sizes))))]
	for _, p := range m.Params {
		if p.Decayed() {
			optim.PruneThreshold(p, limit)
		}
	}
	return nil
}

// trial is one run of the study.
type trial struct {
	Model    string  `json:"model"`
	Method   string  `json:"method"`
	Level    float64 `json:"level"`
	Sparsity float64 `json:"sparsity"`
	Accuracy float64 `json:"accuracy"`
	Before   float64 `json:"before,omitempty"` // of the model as it came
}

// study is what has been tried, kept after each trial.
type study struct {
	corpus, page string
	only         string
	trials       []trial
	python       *torch
	log          io.Writer
}

// runStudy makes the trials that are missing, and the page.
func runStudy(args []string, log io.Writer) error {
	s := study{log: log}
	flags := flag.NewFlagSet("bench sparsity", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&s.corpus, "corpus", "../shared", "read models and data in this `FOLDER`")
	flags.StringVar(&s.page, "page", "docs/sparsity.md", "write the page to `FILE`, and what was measured to the folder sparsity beside it")
	flags.StringVar(&s.only, "only", "", "make trials of this `MODEL` only")
	pageOnly := flags.Bool("page-only", false, "make no trials")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	if !*pageOnly {
		var err error
		if s.python, err = findTorch(); err != nil {
			fmt.Fprintln(log, err)
		}
		if err := s.tryAll(); err != nil {
			return err
		}
	}
	return s.write()
}

func (s *study) folder() string {
	return filepath.Join(filepath.Dir(s.page), strings.TrimSuffix(filepath.Base(s.page), ".md"))
}

func (s *study) results() string { return filepath.Join(s.folder(), "results.json") }

func (s *study) load() error {
	text, err := os.ReadFile(s.results())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &s.trials)
}

func (s *study) find(model, method string, level float64) *trial {
	for i, t := range s.trials {
		if t.Model == model && t.Method == method && t.Level == level {
			return &s.trials[i]
		}
	}
	return nil
}

// keep saves what a trial came to.
func (s *study) keep(t trial) error {
	s.trials = append(s.trials, t)
	fmt.Fprintf(s.log, "%s, %s, %g: %.4f at %.4f\n", t.Model, t.Method, t.Level, t.Accuracy, t.Sparsity)
	text, err := json.MarshalIndent(s.trials, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.folder(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.results(), append(text, '\n'), 0o644)
}

// tryAll makes the trials that are missing.
func (s *study) tryAll() error {
	for _, sub := range subjects {
		if s.only != "" && s.only != sub.name {
			continue
		}
		for _, m := range methods {
			if m.only != nil && !m.only(sub) {
				continue
			}
			for _, level := range m.at() {
				if s.find(sub.name, m.name, level) != nil {
					continue
				}
				t, err := s.try(sub, m, level)
				if err != nil {
					return fmt.Errorf("%s, %s, %g: %w", sub.name, m.name, level, err)
				}
				if err := s.keep(t); err != nil {
					return err
				}
			}
		}
		if err := s.tryTorch(sub); err != nil {
			return err
		}
	}
	return nil
}

// try makes a trial of ours.
func (s *study) try(sub subject, m method, level float64) (trial, error) {
	model, err := onnxload.Open(filepath.Join(s.corpus, "models", sub.name+".onnx"))
	if err != nil {
		return trial{}, err
	}
	if m.before != nil {
		if err := m.before(model, level); err != nil {
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
	cfg.Epochs = sub.epochs
	m.change(&cfg, level)
	result, err := train.Run(context.Background(), model, training, held, cfg)
	if err != nil {
		return trial{}, err
	}
	return trial{sub.name, m.name, level, result.Sparsity, *result.After.Accuracy, *result.Before.Accuracy}, nil
}

func (sub subject) loader(corpus, half string) (*data.Loader, error) {
	path := sub.data
	if half == "test" && sub.test != "" {
		path, half = sub.test, "train"
	}
	src, err := data.Open(filepath.Join(corpus, path), data.Options{Split: half})
	if err != nil {
		return nil, err
	}
	return data.NewLoader(src, sub.options)
}

// The ways of PyTorch to prune, one shot.
var torchMethods = []struct {
	name, scope string
	rate        float64
}{
	{"PyTorch, global", "global", train.PruningLR},
	{"PyTorch, global, rate 1e-3", "global", 1e-3},
	{"PyTorch, by layer", "layer", train.PruningLR},
}

// tryTorch makes the trials of PyTorch, as many epochs as ours.
func (s *study) tryTorch(sub subject) error {
	if s.python == nil {
		return nil
	}
	_, file, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(file), "torch", "prune.py")
	for _, m := range torchMethods {
		for _, level := range levels {
			if s.find(sub.name, m.name, level) != nil {
				continue
			}
			out, err := exec.Command(s.python.python, script, s.corpus, sub.name, fmt.Sprint(level), fmt.Sprint(m.rate), fmt.Sprint(sub.epochs), m.scope).Output()
			if err != nil {
				return fmt.Errorf("%s, %s, %g: %w", sub.name, m.name, level, err)
			}
			t := trial{Model: sub.name, Method: m.name, Level: level}
			if _, err := fmt.Sscan(string(out), &t.Sparsity, &t.Accuracy); err != nil {
				return fmt.Errorf("%s: %w in %q", script, err, out)
			}
			if err := s.keep(t); err != nil {
				return err
			}
		}
	}
	return nil
}
