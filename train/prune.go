package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"finetune/optim"
)

// Pruning says what is set to zero, and when. Settings without a selector mean
// weights only.
type Pruning struct {
	// Sparsity is the share of zeros to end with, [0, 1). It is reached along a
	// cubic curve between the shares Begin and End of the run, by magnitude, or along
	// another Schedule: see optim.Ramp.
	Sparsity optim.Settings
	Schedule string // an optim.Course; "" is the cubic
	// Global ranks the weights of all layers together, so that layers that
	// matter less lose more; else each layer gets the same share.
	Global     bool
	Begin, End float64 // 0 ≤ Begin ≤ End ≤ 1
	Every      int     // steps between two prunings; 0 is a hundredth of the run

	// Score says what goes first, and Pattern what goes together, which may mean a
	// Sparsity of itself. Calibration is how many examples the scores are made
	// from that need some before the first step; 0 is DefaultCalibration.
	Score       optim.Score
	Pattern     optim.Pattern
	Calibration int
	// Regrow lets weights grow again in place of others, each time that weights are
	// pruned but the last. RegrowFraction is the share of those left that goes for
	// them, (0, 1); 0 is optim.DefaultRegrowFraction.
	Regrow         optim.Regrowth
	RegrowFraction float64
	// Kernel gives small layers a greater density than large ones: see
	// optim.PruneKernel.
	Kernel bool
	// Floor is the least share of the density asked for that a parameter keeps under
	// Global, [0, 1]: see optim.PruneGlobal. 0 is optim.DefaultFloor.
	Floor float64
	// DenseFirst and DenseLast leave the first and the last layer alone, and
	// KeepZeros keeps what is zero in the weights that come, from growing too.
	DenseFirst, DenseLast, KeepZeros bool

	// Threshold sets weights to zero, once and at the end, that are smaller;
	// Deviations does, in standard deviations of the weights of each parameter.
	Threshold  optim.Settings
	Deviations optim.Settings
}

// gradually reports whether weights are pruned on the way.
func (c Pruning) gradually() bool { return len(c.Sparsity) > 0 || c.Pattern.Sparsity() > 0 }

// atEnd reports whether weights are pruned at the end.
func (c Pruning) atEnd() bool { return len(c.Threshold)+len(c.Deviations) > 0 }

// Spec is what is pruned, without when: gradually, and at the end.
func (c Pruning) Spec(seed uint64) (gradual, last optim.Pruning) {
	last = optim.Pruning{Threshold: c.Threshold, Deviations: c.Deviations, DenseFirst: c.DenseFirst, DenseLast: c.DenseLast}
	gradual = optim.Pruning{
		Sparsity: c.Sparsity, Score: c.Score, Pattern: c.Pattern, Seed: seed,
		Global: c.Global, Floor: cmp.Or(c.Floor, optim.DefaultFloor), Kernel: c.Kernel,
		Regrow: c.Regrow, RegrowFraction: c.RegrowFraction,
		DenseFirst: c.DenseFirst, DenseLast: c.DenseLast,
	}
	return gradual, last
}

// checkSchedule reports a Schedule that is none, or does not fall.
func (c Pruning) checkSchedule() error {
	if c.Schedule == "" {
		return nil
	}
	shape, err := optim.ParseCourse(c.Schedule)
	if err != nil {
		return fmt.Errorf("prune %w", err)
	}
	return optim.Ramp{Shape: shape}.Check()
}

// checkRegrow reports what weights cannot grow again with.
func (c Pruning) checkRegrow(rule string) error {
	way, _ := c.Spec(0)
	if err := way.CheckRegrow(); err != nil || c.Regrow == optim.NoRegrowth {
		return err
	}
	if c.Begin == c.End {
		return fmt.Errorf("regrow: pruning begins and ends after %v of the run, which leaves no time for it", c.End)
	}
	if slices.ContainsFunc(optim.Rules(), func(r optim.Rule) bool { return r.Name == rule && r.Closure }) {
		return fmt.Errorf("regrow: %s remembers steps of all weights at once, and cannot forget those that have grown", rule)
	}
	return nil
}

// pruners are for the sparsity that is approached while training, and for the
// threshold at the end.
func (c Pruning) pruners(params []*optim.Param, run optim.Run, seed uint64) (gradual, last *optim.Pruner, err error) {
	every := c.Every
	if every == 0 {
		every = max(1, run.Steps/100)
	}
	begin, end := c.span(run.Steps)
	ramp := optim.Ramp{Begin: begin, End: end, Every: every, PerEpoch: run.PerEpoch}
	if c.Schedule != "" {
		if ramp.Shape, err = optim.ParseCourse(c.Schedule); err != nil {
			return nil, nil, err
		}
	}
	way, after := c.Spec(seed)
	way.Ramp = ramp
	if gradual, err = optim.NewPruner(params, way); err != nil {
		return nil, nil, err
	}
	last, err = optim.NewPruner(params, after)
	return gradual, last, err
}

// span is the first and the last step of a run that prune on the way.
func (c Pruning) span(steps int) (begin, end int) {
	at := func(share float64) int { return int(math.Round(share * float64(steps-1))) }
	return at(c.Begin), at(c.End)
}

// prunable are the parameters that count when sparsity is told: those of a kind
// that is pruned by default, and those that a setting reaches.
func prunable(params []*optim.Param, pruners []*optim.Pruner) []*optim.Param {
	var list []*optim.Param
	for i, p := range params {
		if p.Decayed() || planned(i, pruners) {
			list = append(list, p)
		}
	}
	return list
}

// planned reports whether one of the pruners is for parameter i.
func planned(i int, pruners []*optim.Pruner) bool {
	return slices.ContainsFunc(pruners, func(pr *optim.Pruner) bool {
		return pr.Plans()[i].Prunes()
	})
}

// keepZeros masks the zeros that weights come with, if they are to stay. They, and
// what is masked otherwise before the first step, never grow.
func (r *run) keepZeros() {
	if r.cfg.Prune.KeepZeros {
		for _, p := range r.prunable {
			optim.KeepZeros(p)
		}
		r.masksChanged()
	}
	r.gradual.Pin()
}

// prune sets weights to zero if it is time.
func (r *run) prune() error {
	if !r.gradual.Due(r.at.Step) {
		return nil
	}
	if err := r.gradual.Step(r.at.Step); err != nil {
		return err
	}
	r.masksChanged()
	return nil
}

// regrow exchanges weights if some were pruned at the step before. The batch that
// says which ones grow is that of the step to come, which moves them from zero.
func (r *run) regrow(ctx context.Context, batch []int) error {
	pruned := r.at.Step - 1
	if !r.gradual.Regrows(pruned) {
		return nil
	}
	if err := r.network.denseGradients(ctx, batch, r.at.Step+1); err != nil {
		return err
	}
	r.gradual.Regrow(pruned, r.optimizer)
	r.masksChanged()
	return nil
}
