package train

import (
	"context"
	"math"
	"testing"

	"finetune/optim"
)

// TestPruningGrowsTheLearningRate looks at the rate that a run ends with when a
// quarter of the weights is left.
func TestPruningGrowsTheLearningRate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   float64
	}{
		{"nothing is pruned", func(c *Config) { c.Prune.Sparsity = nil }, 1e-3},
		{"adamw", func(*Config) {}, GrownLR(0.75)},
		{"adam", func(c *Config) { c.Optim.Rule = "adam" }, GrownLR(0.75)},
		{"at once", func(c *Config) { c.Prune.End = 0 }, GrownLR(0.75)},
		{"one of two", func(c *Config) { c.Prune.Sparsity, c.Prune.Pattern = nil, "1:2" }, GrownLR(0.5)},
		{"sgd", func(c *Config) { c.Optim.Rule = "sgd" }, 1e-3},
		{"a rate that is given", func(c *Config) { c.Optim.LR = optim.Set(3e-4) }, 3e-4},
		{"a rate for biases", func(c *Config) {
			c.Optim.LR = optim.Settings{{Select: optim.MustSelector("role:bias"), Value: 1e-5}}
		}, GrownLR(0.75)},
		{"a threshold at the end", func(c *Config) { c.Prune.Sparsity, c.Prune.Threshold = nil, optim.Set(0.5) }, 1e-3},
	} {
		cfg := DefaultConfig()
		cfg.Schedule, cfg.Batch = "constant", 4
		cfg.Prune.Sparsity = optim.Set(0.75)
		test.change(&cfg)
		got := 0.0
		cfg.Observe = func(e Event) {
			if e.Kind == EpochDone {
				got = e.LearningRate
			}
		}
		if _, err := Run(context.Background(), mlp().model(t), labelled(20, 3, 6).loader(t), nil, cfg); err != nil {
			t.Fatal(err)
		}
		if math.Abs(got/test.want-1) > 0.02 {
			t.Errorf("%s: got a learning rate of %.4g, want %.4g", test.name, got, test.want)
		}
	}
}

func TestDensityOfNothing(t *testing.T) {
	if got := density(nil); got != 1 {
		t.Errorf("got %v, want 1", got)
	}
}
