package train

import (
	"context"
	"runtime"
	"testing"

	"finetune/optim"
)

// TestStepsDoNotAllocate counts what a run allocates between its steps.
func TestStepsDoNotAllocate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
	}{
		{"adamw", func(*Config) {}},
		{"sgd with momentum, L1 and L2", func(c *Config) {
			c.Optim = optim.Default("sgd")
			c.Optim.Momentum, c.Optim.L1, c.Optim.L2 = optim.Set(0.9), optim.Set(1e-5), optim.Set(1e-4)
		}},
		{"half pruned", func(c *Config) { c.Prune.Sparsity, c.Prune.End = optim.Set(0.5), 0 }},
		{"proximal L1", func(c *Config) { c.Optim.L1, c.Optim.L1Mode = optim.Set(1e-3), optim.Proximal }},
	} {
		const first, last = 10, 60
		var at [last + 1]uint64
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch = 1, 4
		test.change(&cfg)
		cfg.Observe = func(e Event) {
			if e.Kind == Stepped && e.Step <= last {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				at[e.Step] = m.Mallocs
			}
		}
		if _, err := Run(context.Background(), mlp().model(t), labelled(4*(last+5), 3, 6).loader(t), nil, cfg); err != nil {
			t.Fatal(err)
		}
		if at[last] == 0 {
			t.Fatalf("%s: got fewer than %d steps", test.name, last)
		}
		// Now and then the runtime allocates for itself.
		if got := float64(at[last]-at[first]) / (last - first); got > 0.5 {
			t.Errorf("%s: got %.1f allocations in a step, want none", test.name, got)
		}
	}
}
