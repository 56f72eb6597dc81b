package train

import (
	"context"
	"fmt"
	"time"

	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

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
	r.density = density(r.prunable)
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

// length is that of the run.
func (r *run) length() optim.Run {
	return optim.Run{Steps: r.steps, PerEpoch: r.stepsFor(r.training.Len())}
}
