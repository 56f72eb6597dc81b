package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"finetune/optim"
)

// loss is that of the last run.
func (t *trial) loss() float64 { return float64(t.machine.Buffer(t.head.loss).F[0]) }

// finite looks at the loss and the gradients.
func (t *trial) finite() bool {
	loss := t.loss()
	return !math.IsNaN(loss) && !math.IsInf(loss, 0) &&
		!slices.ContainsFunc(t.trained, func(p *optim.Param) bool { return !optim.Finite(p.Grad) })
}

// stepRate is the learning rate of the step: a tenth of the usual one, with which
// the loss of nearly every model falls at once.
const stepRate = 1e-4

// step takes a step with AdamW.
func (t *trial) step(ctx context.Context) error {
	report := &StepReport{Before: t.loss(), Slope: t.slopeError}
	if t.rounds() {
		report.Reason = passedOn
	}
	t.report.Step = report
	cfg := optim.Default("adamw")
	cfg.LR = optim.Set(stepRate)
	optimizer, err := optim.New(t.trained, cfg)
	if err != nil {
		return err
	}
	optimizer.Step(1)
	for _, p := range t.trained {
		if !optim.Finite(p.Value) {
			return fmt.Errorf("a step makes parameter %q infinite", p.Name)
		}
		if !slices.Equal(t.values[p], p.Value) {
			report.Moved++
		}
	}
	if err := t.judge.Run(ctx); err != nil {
		return err
	}
	if report.After = t.preciseLoss(); math.IsNaN(report.After) || math.IsInf(report.After, 0) {
		report.After = 0 // JSON has no such number
		return errors.New("the loss is not finite after a step")
	}
	if report.Moved == 0 {
		return errors.New("a step changes no parameter")
	}
	return nil
}

// mostSlopeError is how far the slope along the gradient may be off, and
// mostGradientError the gradient of a node, as shares. Where the loss is rough or
// float32 too coarse, right gradients are off by a few hundredths.
const (
	mostSlopeError    = 0.1
	mostGradientError = 0.05
)

// slope compares how fast the loss changes along the gradient, each parameter's
// scaled by the size of the parameter, with central differences, of which the
// closest counts; one that is close enough ends the search. It is infinite where
// all gradients are zero, and 0 in a model that rounds: gradients pass as if it did
// not, so they are no slopes.
func (t *trial) slope(ctx context.Context) (float64, error) {
	scales, rate := make([]float64, len(t.trained)), 0.0
	for i, p := range t.trained {
		if length := norm(p.Grad); length > 0 {
			scales[i] = max(norm(p.Value), 1e-3) / length
			rate += length * length * scales[i]
		}
	}
	if rate == 0 {
		return math.Inf(1), nil
	}
	if t.rounds() {
		return 0, nil
	}
	defer t.restore()
	at := func(h float64) (float64, error) {
		for i, p := range t.trained {
			for k, v := range t.values[p] {
				p.Value[k] = v + float32(h*scales[i])*p.Grad[k]
			}
		}
		err := t.judge.Run(ctx)
		return t.preciseLoss(), err
	}
	was, err := at(0)
	if err != nil {
		return 0, err
	}
	size, best := math.Max(was, 1e-6), float64(math.MaxFloat32)
	for _, share := range []float64{1e-2, 1e-3, 1e-4, 1e-5} { // of the loss that is to change
		h := share * size / rate
		up, err := at(h)
		if err != nil {
			return 0, err
		}
		down, err := at(-h)
		if err != nil {
			return 0, err
		}
		if off := math.Abs((up-down)/(2*h)/rate - 1); off < best { // or it is no number
			best = off
		}
		if best < mostSlopeError/10 {
			break
		}
	}
	return best, nil
}

// preciseLoss is the loss of the judge's last run, added up in float64: differences
// of it are too small for float32.
func (t *trial) preciseLoss() float64 {
	target, total := t.bind[t.head.target], 0.0
	if t.head.scores == nil {
		for i, v := range t.judge.Buffer(t.head.output).F {
			d := float64(v) - float64(target.F[i])
			total += d * d
		}
		return total / float64(len(target.F))
	}
	scores := t.judge.Buffer(t.head.scores).F
	for i, label := range target.I {
		row := scores[i*t.head.classes:][:t.head.classes]
		most, sum := float64(slices.Max(row)), 0.0
		for _, s := range row {
			sum += math.Exp(float64(s) - most)
		}
		total += most + math.Log(sum) - float64(row[label])
	}
	return total / float64(len(target.I))
}

func norm(x []float32) float64 {
	total := 0.0
	for _, v := range x {
		total += float64(v) * float64(v)
	}
	return math.Sqrt(total)
}
