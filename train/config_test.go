package train

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"finetune/onnxload"
	"finetune/optim"
)

func TestConfigCheck(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		want   string
		change func(*Config)
	}{
		{"epochs is 0", func(c *Config) { c.Epochs = 0 }},
		{"batch is 0", func(c *Config) { c.Batch = 0 }},
		{"batch is -1", func(c *Config) { c.Batch = -1 }},
		{"micro-batch is -1", func(c *Config) { c.MicroBatch = -1 }},
		{`unknown loss "mae"`, func(c *Config) { c.Loss = "mae" }},
		{`no output "z"`, func(c *Config) { c.Output = "z" }},
		{`"moving" is not one of`, func(c *Config) { c.BatchNorm = "moving" }},
		{`rule: "adamix"`, func(c *Config) { c.Optim.Rule = "adamix" }},
		{"lr: NaN", func(c *Config) { c.Optim.LR = optim.Set(nan) }},
		{"l1: -1", func(c *Config) { c.Optim.L1 = optim.Set(-1) }},
		{"momentum: rule adamw has none", func(c *Config) { c.Optim.Momentum = optim.Set(0.9) }},
		{`schedule: "steps"`, func(c *Config) { c.Schedule = "steps" }},
		{`schedule: ""`, func(c *Config) { c.Schedule = "" }},
		{"warmup is -1", func(c *Config) { c.Warmup = -1 }},
		{"warmup is NaN", func(c *Config) { c.Warmup = nan }},
		{"warmup is +Inf", func(c *Config) { c.Warmup = inf }},
		{"clip norm is -1", func(c *Config) { c.Clip.Norm = -1 }},
		{"clip norm is NaN", func(c *Config) { c.Clip.Norm = nan }},
		{"clip value is NaN", func(c *Config) { c.Clip.Value = nan }},
		{"prune begin is -0.1", func(c *Config) { c.Prune.Begin = -0.1 }},
		{"prune begin is 0.8 and prune end is 0.75", func(c *Config) { c.Prune.Begin = 0.8 }},
		{"prune end is 1.5", func(c *Config) { c.Prune.End = 1.5 }},
		{"prune begin is NaN", func(c *Config) { c.Prune.Begin = nan }},
		{"prune end is NaN", func(c *Config) { c.Prune.End = nan }},
		{"prune every is -1", func(c *Config) { c.Prune.Every = -1 }},
		{`prune schedule: "cubical"`, func(c *Config) { c.Prune.Schedule = "cubical" }},
		{`prune schedule: "plateau" is not one that only falls`, func(c *Config) { c.Prune.Schedule = "plateau" }},
		{`prune schedule: "onecycle" is not one that only falls`, func(c *Config) { c.Prune.Schedule = "onecycle" }},
		{`prune schedule: "linear:from=0,to=1" is not one that only falls`, func(c *Config) { c.Prune.Schedule = "linear:from=0,to=1" }},
		{`prune score: "size"`, func(c *Config) { c.Prune.Score = "size" }},
		{`prune pattern: "2/4"`, func(c *Config) { c.Prune.Pattern = "2/4" }},
		{"average from is 2", func(c *Config) { c.Average.From = 2 }},
		{`average every: "often"`, func(c *Config) { c.Average.Every = "often" }},
		{"sparsity: 1 ", func(c *Config) { c.Prune.Sparsity = optim.Set(1) }},
		{"sparsity: NaN", func(c *Config) { c.Prune.Sparsity = optim.Set(nan) }},
		{"global-floor: 2 is not in [0, 1]", func(c *Config) { c.Prune.Floor = 2 }},
		{"threshold: -1", func(c *Config) { c.Prune.Threshold = optim.Set(-1) }},
		{"checkpoint every is -1s", func(c *Config) { c.CheckpointEvery = -time.Second }},
		{"no checkpoint to resume from", func(c *Config) { c.Resume = true }},
	}
	l := labelled(20, 3, 6).loader(t)
	for _, test := range tests {
		cfg := DefaultConfig()
		test.change(&cfg)
		m := mlp().model(t)
		before := values(m)
		_, err := Run(context.Background(), m, l, nil, cfg)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want an error with %q", err, test.want)
		}
		if !equalValues(values(m), before) {
			t.Errorf("%s: the model was changed", test.want)
		}
	}
}

// TestConfigEdges are settings at the ends of their ranges.
func TestConfigEdges(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Batch = math.MaxInt },
		func(c *Config) { c.MicroBatch = math.MaxInt },
		func(c *Config) { c.Clip = Clip{Norm: math.Inf(1), Value: math.Inf(1)} },
		func(c *Config) { c.Warmup = math.MaxInt32 },
		func(c *Config) { c.BatchNorm = "" },
		func(c *Config) { c.BatchNorm = onnxload.BatchNormTrain },
		func(c *Config) { c.Prune.Every = math.MaxInt },
		func(c *Config) { c.Seed = math.MaxUint64 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		mustRun(t, mlp().model(t), labelled(20, 3, 6).loader(t), nil, cfg)
	}
}

// The learning rate falls once everything is pruned.
func TestPruningHoldsTheLearningRate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		scales map[int]float64 // by step, of 101
	}{
		{"nothing is pruned", func(*Config) {}, map[int]float64{0: 1, 20: 0.8, 80: 0.2}},
		{"a threshold at the end", func(c *Config) { c.Prune.Threshold = optim.Set(0.1) }, map[int]float64{20: 0.8}},
		{"pruned up to step 80", func(c *Config) { c.Prune.Sparsity, c.Prune.End = optim.Set(0.5), 0.8 },
			map[int]float64{0: 1, 80: 1, 90: 11. / 21, 100: 1. / 21}},
		{"climbs for 20 steps", func(c *Config) { c.Prune.Sparsity, c.Prune.End, c.Warmup = optim.Set(0.5), 0.8, 20 },
			map[int]float64{10: 0.5, 20: 1, 80: 1, 90: 11. / 21}},
		{"climbs longer than it prunes", func(c *Config) { c.Prune.Sparsity, c.Prune.End, c.Warmup = optim.Set(0.5), 0.1, 21 },
			map[int]float64{21: 1, 61: 0.5}},
	} {
		cfg := DefaultConfig()
		cfg.Schedule = "linear"
		test.change(&cfg)
		s, _, err := cfg.schedule(optim.Run{Steps: 101, PerEpoch: 10})
		if err != nil {
			t.Fatal(err)
		}
		for step, want := range test.scales {
			// Of 101 steps the plain linear one is 1 − step/101.
			if got := s(step, 101); math.Abs(got-want) > 0.01 {
				t.Errorf("%s: scale %v at step %d, want %v", test.name, got, step, want)
			}
		}
	}
}
