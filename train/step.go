package train

import (
	"context"
	"errors"
	"math"

	"finetune/optim"
)

// learn makes a step on a batch and returns the loss before it.
func (r *run) learn(ctx context.Context, batch []int) (float64, error) {
	if r.optimizer.WantsClosure() {
		return r.search(ctx, batch)
	}
	loss, err := r.gradients(ctx, batch)
	if err == nil {
		r.update()
	}
	return loss, err
}

// search makes a step of a rule that asks for gradients as often as it needs them.
func (r *run) search(ctx context.Context, batch []int) (float64, error) {
	gradients := func() (float64, error) { return r.gradients(ctx, batch) }
	return r.optimizer.StepClosure(r.scale(r.at.Step), r.forgiven(gradients))
}

// gradients leaves those of a batch in Param.Grad, clipped, and returns the loss.
func (r *run) gradients(ctx context.Context, batch []int) (float64, error) {
	loss, err := r.network.gradients(ctx, batch, r.at.Step+1)
	if err == nil {
		r.clip()
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
		s *= growth(r.density)
	}
	return s
}

// advance notes that a batch is done.
func (r *run) advance(examples int, loss float64) {
	r.at.Done += examples
	r.at.Step++
	r.at.Loss += loss * float64(examples)
	r.tell(Stepped, nil)
}
