package train

import (
	"finetune/onnxload"
	"finetune/optim"
)

// doubt warns of settings that a run can have, but for this length or this model make
// little sense: batch normalisation to train where there is none, a batch of some
// examples for a rule that wants all of them, a climb to a learning rate that is never
// reached, a mean of few weights.
func (r *run) doubt(averaging optim.Averaging) {
	cfg, n := r.cfg, r.training.Len()
	if cfg.BatchNorm == onnxload.BatchNormTrain && len(r.network.passes[r.network.chunk].stats) == 0 {
		cfg.warn("there is no batch normalisation to train in this model")
	}
	if r.optimizer.WantsClosure() && cfg.Batch < n {
		cfg.warn("%s is for all examples at once, and sees %d of %d at a time", cfg.Optim.Rule, cfg.Batch, n)
	}
	if climb := (optim.Length{N: cfg.Warmup}).Steps(r.length()); climb >= r.steps {
		cfg.warn("the warm-up takes %d steps and the run has %d: it ends before the learning rate is reached", climb, r.steps)
	}
	if averaging.Kind == optim.NoAverage {
		return
	}
	switch means := averaging.Count(r.steps); {
	case means == 0:
		cfg.warn("no weights are averaged: none of the %d steps of the run counts", r.steps)
	case means == 1:
		cfg.warn("no weights are averaged: one of the %d steps of the run counts, and the model is what it was then", r.steps)
	}
}
