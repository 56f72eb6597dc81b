// Package train fine-tunes a model on examples: it runs batches through the
// model, follows the gradient of a loss with the updates, regularisers and
// pruning of package optim, and tells how it goes.
//
//	model, err := onnxload.Open("model.onnx")
//	loader, err := data.NewLoader(examples, data.LoaderOptions{Scale: 1.0 / 255})
//	cfg := train.DefaultConfig()
//	cfg.Optim.L1 = optim.Set(1e-5)
//	result, err := train.Run(ctx, model, loader, nil, cfg)
//
// Run changes Param.Value of the model's parameters; package export writes them
// back. The same model, data, configuration and build give the same bytes,
// whatever the number of threads, and also if the run was interrupted and
// resumed.
//
// The phases of a run are Run itself, train.go. Beside it:
//
//	setup.go       all that can be wrong before the first step
//	step.go        what a batch does to the weights
//	epoch.go       what is measured, before, between and after
//	task.go        what is learned: an output of the model, and the loss
//	feed.go        which field of the data goes into which input
//	temperature.go what scores are divided by where they are far too large
//	network.go     the model compiled for batches: losses and gradients
//	chunk.go       how many examples run at once
//	memory.go      whether that fits; available.go is what there is
//	divergence.go  who is to blame for a NaN
//	evaluate.go    metrics, without gradients
//	prune.go       what becomes zero, and what grows again, when; calibrate.go
//	               scores from examples
//	curvature.go   gradients for the rules that estimate curvature
//	statistics.go  batch normalisation for the mean of the weights
//	profile.go     where the time goes
//	interrupt.go   stopping a run
//	resume.go      what a checkpoint holds; checkpoint.go is the file
//
// Check, in check.go and the files beside it, finds out without data whether a
// model can be trained at all.
package train

import (
	"context"
	"time"

	"finetune/internal/engine"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// Result is what a run came to.
type Result struct {
	Before *Metrics `json:"before,omitempty"` // on the held-out examples, before the first step
	After  *Metrics `json:"after,omitempty"`  // the same, of the parameters that the model now has
	Loss   float64  `json:"loss"`             // mean training loss of the last epoch
	Epochs int      `json:"epochs"`
	Steps  int      `json:"steps"`
	// Temperature is what scores were divided by in the loss; 0 if by nothing.
	Temperature float64 `json:"temperature,omitempty"`
	// Sparsity is the share of zeros in the parameters that pruning is for.
	Sparsity float64 `json:"sparsity"`
	// Profile says where the time of the steps went, the most costly work first;
	// nil unless Config.Profile.
	Profile []Cost `json:"profile,omitempty"`
}

// Run trains m on the examples of training. held, which may be nil, are examples
// to measure on before training and after every epoch; they are never learned
// from. A parameter that cannot be trained, because the loss does not depend on
// it or it holds an infinity, is noted and Trainable no more.
//
// When ctx is done, Run saves a checkpoint, if one was asked for, and returns an
// InterruptedError. A loss, a gradient or a parameter that is not finite is a
// DivergedError; the last checkpoint stays as it is.
func Run(ctx context.Context, m *onnxload.Model, training, held *data.Loader, cfg Config) (*Result, error) {
	r, err := newRun(ctx, m, training, held, cfg)
	if err != nil {
		return nil, err
	}
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	whole := context.WithoutCancel(ctx) // half a step could not be resumed
	for r.at.Epoch < cfg.Epochs {
		order := data.Order(training.Len(), cfg.Seed, r.at.Epoch)
		for r.at.Done < len(order) {
			if err := r.pause(ctx); err != nil {
				return nil, err
			}
			batch := order[r.at.Done:min(r.at.Done+cfg.Batch, len(order))]
			if err := r.regrow(whole, batch); err != nil {
				return nil, err
			}
			if err := r.estimateCurvature(whole, batch); err != nil {
				return nil, err
			}
			loss, err := r.learn(whole, batch)
			if err != nil {
				return nil, err
			}
			if err := r.prune(); err != nil {
				return nil, err
			}
			r.average.Step(r.at.Step)
			r.advance(len(batch), loss)
		}
		if err := r.endEpoch(ctx); err != nil {
			return nil, err
		}
	}
	return r.finish(ctx)
}

// run is a Run at work.
type run struct {
	cfg        Config
	model      *onnxload.Model
	training   *data.Loader
	held       *data.Loader
	network    *network // on training examples
	judge      *network // on held-out examples; nil without any
	space      engine.Space
	optimizer  *optim.Optimizer
	average    *optim.Average
	statistics *statistics // of that mean; nil without batch normalisation that trains
	gradual    *optim.Pruner
	last       *optim.Pruner
	prunable   []*optim.Param
	density    float64        // of those, after the last change of masks
	changing   []*optim.Param // what the run may change, so what a checkpoint holds
	origin     origin
	schedule   optim.Schedule
	plateau    *optim.Plateau // if the schedule follows the loss
	steps      int            // of the whole run
	at         position
	started    time.Time
	saved      time.Time
	result     Result
}
