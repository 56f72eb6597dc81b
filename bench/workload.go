package main

import (
	"fmt"
	"strings"

	"finetune/bench/protocol"
)

// workload is a row of the table.
type workload struct {
	name  string // on the command line
	title string
	mode  string // of the job; "train" if empty

	model     string // in torch/models.py
	size      int
	batch     int
	input     func(size int) []int
	tokens    int // the input is token numbers below it
	target    func(size int) []int
	classes   int
	train     string // globs of the parameters to train
	batchNorm string
	rate      float64 // learning rate; usualRate if 0

	// The ratio that is aimed at, against tuned PyTorch (of an evaluation: ONNX
	// Runtime) and against PyTorch as installed; 0 is none.
	goalTuned, goalInstalled float64
}

var workloads = []workload{
	{
		name: "mlp-small", title: "MLP 20-64-3", model: "mlp-small", batch: 32,
		input: features(20), classes: 3, goalTuned: 0.08, goalInstalled: 0.08,
	},
	{
		name: "mlp-mnist", title: "MLP 784-512-10", model: "mlp-mnist", batch: 64,
		input: features(784), classes: 10, goalTuned: 0.45, goalInstalled: 0.20,
	},
	{
		name: "mlp-large", title: "MLP 1024-1024-100", model: "mlp-large", batch: 256,
		input: features(1024), classes: 100, goalTuned: 0.80, goalInstalled: 0.45,
	},
	{
		name: "cnn", title: "CNN 28×28, two convolutions", model: "cnn", size: 28, batch: 64,
		input: image(1), classes: 10, goalTuned: 0.50, goalInstalled: 0.35,
	},
	{
		name: "resnet18", title: "ResNet-18 at 224", model: "resnet18", size: 224, batch: 8, rate: lowRate,
		input: image(3), classes: 1000, goalTuned: 0.70, goalInstalled: 0.62,
	},
	{
		name: "mobilenet_v2", title: "MobileNetV2 at 224", model: "mobilenet_v2", size: 224, batch: 8, rate: lowRate,
		input: image(3), classes: 1000, goalTuned: 0.50, goalInstalled: 0.35,
	},
	{
		name: "unet", title: "U-Net at 128", model: "unet", size: 128, batch: 4, rate: lowRate,
		input: image(3), target: square, classes: 2, goalTuned: 0.75, goalInstalled: 0.65,
	},
	{
		name: "transformer", title: "Transformer 4 layers × 256, 128 tokens", model: "transformer", size: 128, batch: 8,
		input: sequence, tokens: 1000, classes: 10, goalTuned: 0.75, goalInstalled: 0.45,
	},
	{
		name: "lstm", title: "LSTM 256, 100 steps", model: "lstm", size: 100, batch: 32,
		input: series(64), classes: 10, goalTuned: 0.60, goalInstalled: 0.40,
	},
	{
		name: "resnet18-head", title: "ResNet-18, only the last block and head trained", model: "resnet18", size: 224, batch: 8,
		input: image(3), classes: 1000, train: "layer4.1.*,fc.*", batchNorm: "frozen", goalTuned: 0.60, goalInstalled: 0.50,
	},
	{
		name: "resnet18-eval", title: "evaluation, ResNet-18", mode: "evaluate", model: "resnet18", size: 224, batch: 8,
		input: image(3), classes: 1000, goalTuned: 1.0,
	},
	{
		name: "optimizer", title: "optimizer step, 10 M parameters, half of them masked", mode: "optimizer", batch: 20,
		goalTuned: 0.40, goalInstalled: 0.25,
	},
}

func names() []string {
	var list []string
	for _, w := range workloads {
		list = append(list, w.name)
	}
	return list
}

// find is the workload of a name.
func find(name string) (workload, error) {
	for _, w := range workloads {
		if w.name == name {
			return w, nil
		}
	}
	return workload{}, fmt.Errorf("no workload %q; there are %s", name, strings.Join(names(), ", "))
}

func features(n int) func(int) []int { return func(int) []int { return []int{n} } }

func image(channels int) func(int) []int {
	return func(side int) []int { return []int{channels, side, side} }
}

func series(features int) func(int) []int {
	return func(steps int) []int { return []int{steps, features} }
}

func sequence(tokens int) []int { return []int{tokens} }

func square(side int) []int { return []int{side, side} }

// Settings of the workloads. Networks with batch normalisation learn at the low
// rate: at the usual one even PyTorch's own losses drift apart by a thousandth
// within 20 steps when it sees the examples of each batch in another order.
const (
	usualRate = 1e-4
	lowRate   = 1e-5
	l1        = 1e-5
	decay     = 1e-2
)

// optimizerLen is the number of elements of each tensor of the optimizer, and
// cut the size below which they are masked: half of normally distributed ones.
const (
	optimizerLen = 500_000
	cut          = 0.6745
)

// job is the work at a size and a batch.
func (w workload) job(size, batch, threads int) protocol.Job {
	j := protocol.Job{
		Mode: w.mode, Model: w.model, Size: size, Threads: threads, Batch: batch,
		Integer: w.tokens > 0, Target: []int{}, Classes: w.classes,
		Train: w.train, BatchNorm: w.batchNorm, LR: w.rate, L1: l1, Decay: decay,
	}
	if j.LR == 0 {
		j.LR = usualRate
	}
	if j.Mode == "" {
		j.Mode = "train"
	}
	if j.BatchNorm == "" {
		j.BatchNorm = "train"
	}
	if j.Mode == "optimizer" {
		j.Input, j.Batches, j.Cut = []int{optimizerLen}, 2, cut
		return j
	}
	j.Input = w.input(size)
	if w.target != nil {
		j.Target = w.target(size)
	}
	const most = 20
	const megabytes = 32
	j.Batches = min(most, max(2, megabytes<<20/(4*batch*product(j.Input))))
	return j
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
