package main

import (
	"math"
	"slices"

	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
)

// levels are the shares of zeros that methods are tried at.
var levels = []float64{0.5, 0.8, 0.9, 0.95, 0.98}

// method is a way to a sparsity.
type method struct {
	name   string
	levels []float64          // nil is all
	often  func(subject) bool // tried with all seeds; nil is on no subject
	only   func(subject) bool // nil is on all subjects
	way    way
}

// way makes a trial of a method, but for what says which one it is.
type way interface {
	try(s *study, sub subject, level float64, seed int) (trial, error)
}

// advised is the method that the page advises.
const advised = "LAMP"

var methods = []method{
	{name: dense, levels: []float64{0}, often: always, way: ours{}},
	{name: advised, often: always, way: along(train.Pruning{Global: true, Score: optim.LAMP})},
	{name: "LAMP, at once", often: always, way: atOnce(train.Pruning{Global: true, Score: optim.LAMP})},
	{name: "magnitude, cubic", often: always, way: along(train.Pruning{Global: true})},
	{name: "movement", often: always, way: along(train.Pruning{Global: true, Score: optim.Movement})},
	{name: "threshold", way: ours{before: oneThreshold, change: func(c *train.Config, level float64) {
		c.Prune.KeepZeros = true
		c.Optim.LR = optim.Set(train.GrownLR(level))
	}}},
	{name: "proximal L1", way: ours{change: func(c *train.Config, level float64) {
		c.Prune = pruning(train.Pruning{Global: true}, level)
		c.Optim.L1, c.Optim.L1Mode = optim.Set(1e-3), optim.Proximal
	}}},
	{name: "2:4", levels: []float64{0.5}, often: always, way: ours{change: func(c *train.Config, _ float64) {
		c.Prune = train.Pruning{Pattern: "2:4", End: c.Prune.End}
	}}},
	{name: "filters", levels: []float64{0.5, 0.8, 0.9}, way: along(train.Pruning{Pattern: "filters", DenseLast: true})},
	{name: "LAMP, BatchNorm trained", often: always, only: hasBatchNorm, way: ours{change: func(c *train.Config, level float64) {
		c.Prune = pruning(train.Pruning{Global: true, Score: optim.LAMP}, level)
		c.BatchNorm = onnxload.BatchNormTrain
	}}},
	{name: "LAMP, EMA", often: onColour, way: ours{change: func(c *train.Config, level float64) {
		c.Prune = pruning(train.Pruning{Global: true, Score: optim.LAMP}, level)
		c.Average.Kind = optim.EMA
	}}},
	{name: "LAMP, RigL", levels: []float64{0.5, 0.9, 0.98}, way: along(train.Pruning{Global: true, Score: optim.LAMP, Regrow: optim.RigL})},
	{name: "LAMP, SET", levels: []float64{0.9}, way: along(train.Pruning{Global: true, Score: optim.LAMP, Regrow: optim.SET})},
	{name: "magnitude, by layer", way: along(train.Pruning{})},
	{name: "magnitude, by layer, at once", levels: []float64{0.5, 0.8}, often: always, way: atOnce(train.Pruning{})},
	{name: "magnitude, Erdős–Rényi", levels: []float64{0.5, 0.9, 0.98}, way: along(train.Pruning{Kernel: true})},
	{name: "Wanda, by layer", levels: []float64{0.5, 0.9}, way: along(train.Pruning{Score: optim.Wanda})},
	{name: "SNIP", levels: []float64{0.5, 0.9}, way: atOnce(train.Pruning{Global: true, Score: optim.SNIP})},
	{name: "random", levels: []float64{0.5, 0.9}, way: along(train.Pruning{Score: optim.Random})},

	{name: "PyTorch, global", often: onDigits, way: theirs{scope: "global", rate: grownRate}},
	{name: "PyTorch, global, rate 1e-3", often: onDigits, way: theirs{scope: "global", rate: plainRate}},
	{name: "PyTorch, global, temperature", often: always, only: hasTemperature, way: theirs{scope: "global", rate: grownRate, tempered: true}},
	{name: "PyTorch, by layer", often: onColour, way: theirs{scope: "layer", rate: grownRate}},
	{name: "PyTorch, by layer, rate 1e-3", often: onColour, way: theirs{scope: "layer", rate: plainRate}},
}

// dense trains without pruning.
const dense = "dense"

func always(subject) bool           { return true }
func hasBatchNorm(s subject) bool   { return s.batchNorm }
func hasTemperature(s subject) bool { return s.temperature > 0 }

// What fails on a kind of model is tried once there.
func onColour(s subject) bool { return s.test != "" }
func onDigits(s subject) bool { return s.test == "" }

// The rates for PyTorch.
func plainRate(float64) float64       { return 1e-3 }
func grownRate(level float64) float64 { return 1e-3 * math.Pow(1-level, -0.25) }

// at are the levels that a method is tried at.
func (m method) at() []float64 {
	if m.levels != nil {
		return m.levels
	}
	return levels
}

// triedOn reports whether a subject is tried with a seed.
func (m method) triedOn(sub subject, seed int) bool {
	return (m.only == nil || m.only(sub)) && (seed == 0 || m.often != nil && m.often(sub))
}

// isTheirs reports whether it is a method of PyTorch.
func (m method) isTheirs() bool {
	_, ok := m.way.(theirs)
	return ok
}

// pruning is p on the way to a sparsity, in the time that is the default.
func pruning(p train.Pruning, level float64) train.Pruning {
	p.Sparsity, p.End = optim.Set(level), train.DefaultConfig().Prune.End
	return p
}

// along prunes on the way.
func along(p train.Pruning) ours {
	return ours{change: func(c *train.Config, level float64) { c.Prune = pruning(p, level) }}
}

// atOnce prunes at the first step.
func atOnce(p train.Pruning) ours {
	return ours{change: func(c *train.Config, level float64) {
		p.Sparsity = optim.Set(level)
		c.Prune = p
	}}
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
