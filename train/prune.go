package train

import (
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

	// Threshold sets weights to zero, once and at the end, that are smaller.
	Threshold optim.Settings
}

// pruners are for the sparsity that is approached while training, and for the
// threshold at the end.
func (c Pruning) pruners(params []*optim.Param, run optim.Run) (gradual, last *optim.Pruner, err error) {
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
	gradual, err = optim.NewPruner(params, optim.Pruning{
		Sparsity: c.Sparsity, Global: c.Global, Floor: optim.DefaultFloor,
		Ramp: ramp,
	})
	if err != nil {
		return nil, nil, err
	}
	last, err = optim.NewPruner(params, optim.Pruning{Threshold: c.Threshold})
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
		plan := pr.Plans()[i]
		return plan.Sparsity > 0 || plan.Threshold > 0
	})
}
