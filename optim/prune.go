package optim

import (
	"fmt"
	"slices"
)

// Pruning says what is pruned and when. A pruned weight is false in Param.Mask,
// and zero from then on. A bare setting concerns the parameters that are
// [Param.Decayed] and Trainable; biases, scales and frozen weights are pruned
// only where a role or a whole name says so, the roles Running and Constant never.
type Pruning struct {
	Threshold Settings // |w| below which weights go, [0, inf)
	Sparsity  Settings // share of weights to end with at zero, [0, 1)

	// Global ranks the weights of all parameters with the same Sparsity
	// together, instead of parameter by parameter.
	Global bool
	Floor  float64 // least density of a parameter under Global, see PruneGlobal; [0, 1]

	Ramp Ramp // when; the zero Ramp prunes at step 0 only, at once
}

// DefaultFloor is a Floor that keeps small layers alive and bends a global
// ranking little: no layer gets below a fifth of the density asked for.
const DefaultFloor = 0.2

// PrunePlan is what a Pruning means for one parameter.
type PrunePlan struct {
	Param     *Param
	Threshold float64  // 0 for none
	Sparsity  float64  // 0 for none
	Why       []Reason // of the two, where set
}

// Pruner prunes parameters as its Pruning says. It has no state besides their
// masks.
type Pruner struct {
	cfg   Pruning
	plans []PrunePlan
	pools []pool
}

// pool is a set of parameters that are ranked together.
type pool struct {
	sparsity float64
	params   []*Param
}

// NewPruner resolves cfg for params. It reports values outside their ranges and
// selectors that select nothing.
func NewPruner(params []*Param, cfg Pruning) (*Pruner, error) {
	if err := cfg.Threshold.check("prune-threshold", nonNegative, decayedOnly, params); err != nil {
		return nil, err
	}
	if err := cfg.Sparsity.check("sparsity", belowOne, decayedOnly, params); err != nil {
		return nil, err
	}
	for _, s := range slices.Concat(cfg.Threshold, cfg.Sparsity) {
		if !s.Course.IsZero() {
			return nil, fmt.Errorf("pruning %q: the schedule of pruning is not that of a setting", s)
		}
	}
	if !fraction.contains(cfg.Floor) {
		return nil, outside("floor", "", cfg.Floor, fraction)
	}
	if err := cfg.Ramp.Check(); err != nil {
		return nil, err
	}
	pr := &Pruner{cfg: cfg}
	for _, p := range params {
		if err := p.check(); err != nil {
			return nil, err
		}
		plan := PrunePlan{Param: p}
		plan.Threshold = plan.decide("prune-threshold", cfg.Threshold)
		plan.Sparsity = plan.decide("sparsity", cfg.Sparsity)
		pr.plans = append(pr.plans, plan)
		if plan.Sparsity > 0 {
			pr.addToPool(plan.Sparsity, p)
		}
	}
	for _, pool := range pr.pools {
		if !cfg.Global {
			break
		}
		if _, err := globalLimits(pool.params, pool.sparsity, cfg.Floor); err != nil {
			return nil, err
		}
	}
	return pr, nil
}

// decide finds the value of a field and notes why.
func (plan *PrunePlan) decide(field string, list Settings) float64 {
	s, ok := list.decide(plan.Param, decayedOnly)
	if !ok || s.Select.IsZero() && !plan.Param.Trainable || plan.Param.Role == Running || plan.Param.Role == Constant {
		return 0
	}
	plan.Why = append(plan.Why, Reason{Field: field, Value: s.Value, From: s.String()})
	return s.Value
}

// addToPool puts p among those it is ranked with.
func (pr *Pruner) addToPool(sparsity float64, p *Param) {
	if pr.cfg.Global {
		for i := range pr.pools {
			if pr.pools[i].sparsity == sparsity {
				pr.pools[i].params = append(pr.pools[i].params, p)
				return
			}
		}
	}
	pr.pools = append(pr.pools, pool{sparsity, []*Param{p}})
}

// Plans says for every parameter how it is pruned and why.
func (pr *Pruner) Plans() []PrunePlan { return pr.plans }

// Due reports whether Step does anything at step t.
func (pr *Pruner) Due(t int) bool { return pr.cfg.Ramp.Due(t) }

// Step prunes what is due at step t, counted from 0: first by threshold, then by
// rank to the sparsity of that step. Weights are zero at once; the moments of
// the optimizer follow with its next step. The error is that of [PruneGlobal].
func (pr *Pruner) Step(t int) error {
	if !pr.Due(t) {
		return nil
	}
	for _, plan := range pr.plans {
		if plan.Threshold > 0 {
			PruneThreshold(plan.Param, plan.Threshold)
		}
	}
	for _, pool := range pr.pools {
		sparsity := pr.cfg.Ramp.At(t, pool.sparsity)
		if !pr.cfg.Global {
			PruneMagnitude(pool.params[0], sparsity)
		} else if err := PruneGlobal(pool.params, sparsity, pr.cfg.Floor); err != nil {
			return fmt.Errorf("global pruning at step %d: %w", t, err)
		}
	}
	return nil
}
