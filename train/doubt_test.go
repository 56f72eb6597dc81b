package train

import (
	"slices"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
)

// TestDoubt warns of what makes little sense in a run of six steps, and of nothing
// else.
func TestDoubt(t *testing.T) {
	for _, test := range []struct {
		want   string // part of the one warning
		change func(*Config)
	}{
		{"", func(*Config) {}},
		{"", func(c *Config) { c.Warmup = 5 }},
		{"no batch normalisation to train", func(c *Config) { c.BatchNorm = onnxload.BatchNormTrain }},
		{"warm-up takes 6 steps and the run has 6", func(c *Config) { c.Warmup = 6 }},
		{"", func(c *Config) { c.Average = Average{Kind: optim.SWA} }},
		{"", func(c *Config) { c.Average = Average{Kind: optim.EMA, Decay: 0.9} }},
		{"none of the 6 steps", func(c *Config) { c.Average = Average{Kind: optim.SWA, Every: "7"} }},
		{"one of the 6 steps", func(c *Config) { c.Average = Average{Kind: optim.SWA, From: 0.5} }},
		{"", func(c *Config) { c.Optim, c.Batch, c.Epochs = optim.Default("lbfgs"), 30, 1 }},
		{"lbfgs is for all examples at once, and sees 10 of 30 at a time", func(c *Config) { c.Optim = optim.Default("lbfgs") }},
	} {
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch = 2, 10
		test.change(&cfg)
		_, said := mustRun(t, mlp().model(t), labelled(30, 3, 6).loader(t), nil, cfg)
		if test.want == "" && len(said) > 0 || test.want != "" && (len(said) != 1 || !strings.Contains(said[0], test.want)) {
			t.Errorf("got %q, want one with %q", slices.Clone(said), test.want)
		}
	}
}
