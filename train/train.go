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
// What a step does is in Run itself, train.go. Beside it:
//
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
	"errors"
	"fmt"
	"math"
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

func newRun(ctx context.Context, m *onnxload.Model, training, held *data.Loader, cfg Config) (*run, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Checkpoint != "" && !cfg.Resume {
		if err := CheckpointPlace(cfg.Checkpoint); err != nil {
			return nil, err
		}
	}
	r := &run{cfg: cfg, model: m, training: training, held: held, started: time.Now(), saved: time.Now()}
	r.steps = cfg.Epochs * r.stepsFor(training.Len())
	var err error
	if r.schedule, r.plateau, err = cfg.schedule(r.length()); err != nil {
		return nil, err
	}
	if r.network, err = planNetwork(m, training, cfg, true); err != nil {
		return nil, err
	}
	if held != nil {
		quiet := cfg // it has been said for the training examples
		quiet.Observe = nil
		if r.judge, err = planNetwork(m, held, quiet, false); err != nil {
			return nil, err
		}
		if r.judge.task != r.network.task {
			return nil, fmt.Errorf("%v is to be learned, but the held-out examples are for %v", r.network.task, r.judge.task)
		}
	}
	update := cfg.Optim
	update.Run = r.length()
	if r.optimizer, err = optim.New(m.Params, update); err != nil {
		return nil, err
	}
	if err := r.fit(); err != nil {
		return nil, err
	}
	if err := r.compile(ctx); err != nil {
		return nil, err
	}
	averaging, err := cfg.Average.averaging(r.length())
	if err != nil {
		return nil, err
	}
	if r.average, err = optim.NewAverage(m.Params, averaging); err != nil {
		return nil, err
	}
	r.doubt(averaging)
	if averaging.Kind != optim.NoAverage {
		if r.statistics, err = newStatistics(r.network, &r.space); err != nil {
			return nil, err
		}
	}
	if r.gradual, r.last, err = cfg.Prune.pruners(m.Params, r.length(), cfg.Seed); err != nil {
		return nil, err
	}
	pruners := []*optim.Pruner{r.gradual, r.last}
	r.prunable = prunable(m.Params, pruners)
	for i, p := range m.Params {
		if p.Trainable || p.Role == optim.Running || planned(i, pruners) {
			r.changing = append(r.changing, p)
		}
	}
	r.origin, err = newOrigin(training)
	return r, err
}

// compile makes the networks ready to run, which they do in turn, in one space.
func (r *run) compile(ctx context.Context) error {
	t, err := r.chooseTemperature(ctx)
	if err != nil {
		return r.stopped(err)
	}
	if r.network.cfg.Temperature = t; r.network.temperature() != 1 {
		r.result.Temperature = t
		r.network.cfg.Observe = nil // all has been said
		if err := r.network.plan(); err != nil {
			return err
		}
	}
	if r.judge != nil {
		if err := r.judge.compile(&r.space); err != nil {
			return err
		}
	}
	return r.network.compile(&r.space)
}

// stepsFor is how many updates so many examples of an epoch make.
func (r *run) stepsFor(examples int) int {
	steps := examples / r.cfg.Batch
	if examples%r.cfg.Batch > 0 {
		steps++ // the last batch is smaller
	}
	return steps
}

// begin restores the checkpoint, or measures the model as it came.
func (r *run) begin(ctx context.Context) error {
	r.tell(Ready, nil)
	r.keepZeros()
	if r.cfg.Resume {
		if err := r.restore(); err != nil {
			return err
		}
		r.cfg.note("resumed from %s at epoch %d, step %d", r.cfg.Checkpoint, r.at.Epoch+1, r.at.Step)
	} else if r.judge != nil {
		before, err := r.judge.evaluate(ctx)
		if err != nil {
			return r.stopped(err)
		}
		r.at.Before = &before
	}
	if !r.cfg.Resume {
		if err := r.calibrate(ctx); err != nil {
			return err
		}
	}
	r.tell(Started, r.at.Before)
	return nil
}

// estimateCurvature tells the optimizer about the curvature, when it is due.
func (r *run) estimateCurvature(ctx context.Context, batch []int) error {
	if !r.optimizer.NeedsCurvature() {
		return nil
	}
	if err := r.network.drawnGradients(ctx, batch, r.at.Step+1); err != nil {
		return err
	}
	r.optimizer.Curvature(len(batch))
	return nil
}

// clip limits the gradients.
func (r *run) clip() {
	if r.cfg.Clip == (Clip{}) && !r.cfg.Centralize {
		return
	}
	defer r.network.costs.add("clipped", r.network.costs.start())
	if r.cfg.Clip.Value > 0 {
		optim.ClipValue(r.network.trainable, r.cfg.Clip.Value)
	}
	if r.cfg.Clip.Adaptive > 0 {
		optim.ClipAdaptive(r.network.trainable, r.cfg.Clip.Adaptive)
	}
	if r.cfg.Clip.Norm > 0 {
		optim.ClipNorm(r.network.trainable, r.cfg.Clip.Norm)
	}
	if r.cfg.Centralize {
		optim.Centralize(r.network.trainable)
	}
}

// learn makes a step on a batch and returns the loss before it.
func (r *run) learn(ctx context.Context, batch []int) (float64, error) {
	gradients := func() (float64, error) {
		loss, err := r.network.gradients(ctx, batch, r.at.Step+1)
		if err == nil {
			r.clip()
		}
		return loss, err
	}
	if r.optimizer.WantsClosure() {
		return r.optimizer.StepClosure(r.scale(r.at.Step), r.forgiven(gradients))
	}
	loss, err := gradients()
	if err == nil {
		r.update()
	}
	return loss, err
}

// forgiven is gradients for a rule that looks for the length of a step: it may try
// some that lead too far, where the loss is not finite, but not where it stands.
func (r *run) forgiven(gradients func() (float64, error)) func() (float64, error) {
	if r.optimizer.Groups()[0].Hyper.LineSearch == 0 {
		return gradients
	}
	trial := false
	return func() (float64, error) {
		loss, err := gradients()
		if _, diverged := errors.AsType[*DivergedError](err); diverged && trial {
			return math.NaN(), nil
		}
		trial = true
		return loss, err
	}
}

// update moves the weights.
func (r *run) update() {
	defer r.network.costs.add("optimizer", r.network.costs.start())
	r.gradual.Observe()
	r.optimizer.Step(r.scale(r.at.Step))
}

// scale is the factor of the learning rates at a step, from 0.
func (r *run) scale(step int) float64 {
	s := r.schedule(step, r.steps)
	if r.plateau != nil {
		s *= r.plateau.Scale()
	}
	if r.cfg.grows() {
		s *= growth(r.density())
	}
	return s
}

// length is that of the run.
func (r *run) length() optim.Run {
	return optim.Run{Steps: r.steps, PerEpoch: r.stepsFor(r.training.Len())}
}

// advance notes that a batch is done.
func (r *run) advance(examples int, loss float64) {
	r.at.Done += examples
	r.at.Step++
	r.at.Loss += loss * float64(examples)
	r.tell(Stepped, nil)
}

// endEpoch measures and saves.
func (r *run) endEpoch(ctx context.Context) error {
	var held *Metrics
	if r.judge != nil {
		r.enterMean()
		m, err := r.measure(ctx)
		r.leaveMean()
		if err != nil {
			return r.stopped(err)
		}
		held = &m
		r.result.After = held
	}
	r.tell(EpochDone, held)
	r.at.Last = r.meanLoss()
	if r.plateau != nil {
		loss := r.at.Last
		if held != nil {
			loss = held.Loss
		}
		r.plateau.Observe(loss)
		r.at.Plateau = &r.plateau.State
	}
	r.at.Epoch, r.at.Done, r.at.Loss = r.at.Epoch+1, 0, 0
	if r.cfg.CheckpointEvery == 0 {
		return r.save()
	}
	return nil
}

func (r *run) meanLoss() float64 {
	if r.at.Done == 0 {
		return 0
	}
	return r.at.Loss / float64(r.at.Done)
}

// measure evaluates the weights, or the mean that is in their place.
func (r *run) measure(ctx context.Context) (Metrics, error) {
	if err := r.fitStatistics(ctx); err != nil {
		return Metrics{}, err
	}
	return r.judge.evaluate(ctx)
}

// finish takes the mean of the weights, if there is one, prunes by threshold and
// sums up.
func (r *run) finish(ctx context.Context) (*Result, error) {
	r.enterMean()
	if err := r.checkParameters(); err != nil {
		return nil, err
	}
	if err := r.last.Step(0); err != nil {
		return nil, err
	}
	r.masksChanged()
	if err := r.fitStatistics(ctx); err != nil {
		r.leaveMean() // the checkpoint has weights and mean apart
		return nil, r.stopped(err)
	}
	if r.judge != nil && (r.cfg.Prune.atEnd() || r.result.After == nil) {
		after, err := r.judge.evaluate(ctx)
		if err != nil {
			r.leaveMean()
			return nil, r.stopped(err)
		}
		r.result.After = &after
	}
	r.result.Before = r.at.Before
	r.result.Loss, r.result.Epochs, r.result.Steps = r.at.Last, r.at.Epoch, r.at.Step
	r.result.Sparsity = optim.Sparsity(r.prunable)
	r.result.Profile = r.network.profile()
	return &r.result, nil
}

// tell reports an event with all that is known now.
func (r *run) tell(kind EventKind, held *Metrics) {
	if r.cfg.Observe == nil {
		return
	}
	e := Event{
		Kind: kind, Epoch: r.at.Epoch + 1, Epochs: r.cfg.Epochs, Step: r.at.Step, Steps: r.steps,
		Loss: r.meanLoss(), Held: held, Elapsed: time.Since(r.started),
	}
	if kind == EpochDone {
		e.Penalty = r.optimizer.Penalty()
		e.Sparsity = optim.Sparsity(r.prunable)
		e.LearningRate = r.optimizer.LearningRate()
	}
	r.cfg.Observe(e)
}
