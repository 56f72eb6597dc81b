package train

import (
	"testing"

	"finetune/optim"
)

// Every rule makes the loss small, with the learning rate that it has by default or
// one that suits so short a run.
func TestEveryRuleLearns(t *testing.T) {
	l := labelled(96, 3, 6).loader(t)
	rates := map[string]float64{
		"sgd": 0.3, "adadelta": 10, "asgd": 0.3, "lion": 0.01, "lars": 0.3, "radam": 0.1, "lamb": 0.02, "sophia": 0.01, "muon": 0.05, "adafactor": 0.05,
	}
	for _, r := range optim.Rules() {
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch, cfg.Optim, cfg.Schedule = 10, 16, optim.Default(r.Name), "constant"
		rate, ok := rates[r.Name]
		if !ok {
			rate = max(0.02, r.Defaults.LR)
		}
		cfg.Optim.LR = optim.Set(rate)
		if r.Name == "lars" { // whose vectors have the rate of sgd, and matrices a thousandth
			cfg.Optim.Trust = optim.Set(0.1)
		}
		if r.Closure { // all examples at once
			cfg.Batch = l.Len()
		}
		result, said := mustRun(t, mlp().model(t), l, l, cfg)
		if len(said) > 0 {
			t.Errorf("%s: said %q", r.Name, said)
		}
		t.Logf("%-10s lr %-5g loss %.3f, was %.3f", r.Name, rate, result.After.Loss, result.Before.Loss)
		if !(result.After.Loss < 0.25*result.Before.Loss) {
			t.Errorf("%s: got loss %.3f, want less than a quarter of %.3f", r.Name, result.After.Loss, result.Before.Loss)
		}
	}
}
