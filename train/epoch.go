package train

import (
	"context"

	"finetune/optim"
)

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
