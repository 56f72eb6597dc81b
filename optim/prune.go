package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Pruning says what is pruned and when. A pruned weight is false in Param.Mask,
// and zero from then on, unless it grows again: see [Regrowth]. A bare setting
// concerns the parameters that are [Param.Decayed] and Trainable; biases, scales and
// frozen weights are pruned only where a role or a whole name says so, the roles
// Running and Constant never.
type Pruning struct {
	Threshold  Settings // |w| below which weights go, [0, inf)
	Deviations Settings // the same in standard deviations of the weights of the parameter, [0, inf)
	Sparsity   Settings // share of weights to end with at zero, [0, 1); without any, that of Pattern

	Score   Score   // what goes first, on the way to Sparsity
	Pattern Pattern // what goes together

	// Regrow lets other weights grow again in place of some that are left, a share
	// RegrowFraction of them in (0, 1); 0 is DefaultRegrowFraction.
	Regrow         Regrowth
	RegrowFraction float64

	Seed uint64 // of the score random, and of the regrowth set

	// Global ranks the weights of all parameters with the same Sparsity
	// together, instead of parameter by parameter.
	Global bool
	Floor  float64 // least density of a parameter under Global, see PruneGlobal; [0, 1]
	// Kernel makes small parameters denser than large ones, see PruneKernel; it
	// and Global exclude each other.
	Kernel bool

	// DenseFirst and DenseLast leave the first and the last layer alone, by
	// Param.Depth, where a bare setting would prune them.
	DenseFirst, DenseLast bool

	Ramp Ramp // when; the zero Ramp prunes at step 0 only, at once
}

// DefaultFloor is a Floor that keeps small layers alive and bends a global
// ranking little: no layer gets below a fifth of the density asked for.
const DefaultFloor = 0.2

// PrunePlan is what a Pruning means for one parameter.
type PrunePlan struct {
	Param      *Param
	Threshold  float64  // 0 for none
	Deviations float64  // 0 for none
	Sparsity   float64  // 0 for none; with Pruning.Kernel its own
	Why        []Reason // of these, where set
}

// Prunes reports whether anything of the parameter is pruned.
func (plan PrunePlan) Prunes() bool {
	return plan.Sparsity > 0 || plan.Threshold > 0 || plan.Deviations > 0
}

// Pruner prunes parameters as its Pruning says. Its state, besides their masks, is
// what some scores are made of.
type Pruner struct {
	cfg   Pruning
	plans []PrunePlan
	pools []pool
	state map[string][]float32 // see State
	ends  [2]int               // least and greatest depth of what is pruned by default
	// pinned are masks of what never grows again: see Pin.
	pinned map[*Param][]bool
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
	if err := cfg.Deviations.check("prune-deviations", nonNegative, decayedOnly, params); err != nil {
		return nil, err
	}
	if err := errors.Join(cfg.Score.Check(), cfg.Pattern.Check()); err != nil {
		return nil, err
	}
	if s := cfg.Pattern.Sparsity(); s > 0 && len(cfg.Sparsity) == 0 {
		cfg.Sparsity = Set(s)
	}
	if err := cfg.Sparsity.check("sparsity", belowOne, decayedOnly, params); err != nil {
		return nil, err
	}
	if cfg.Kernel && cfg.Global {
		return nil, errors.New("pruning: a ranking of all layers together and the allocation of Erdős and Rényi exclude each other")
	}
	if cfg.Pattern.Sparsity() > 0 && cfg.Kernel {
		return nil, fmt.Errorf("pruning: %s means one sparsity for all, which leaves nothing to allocate", cfg.Pattern)
	}
	if cfg.Pattern != "" && cfg.Global {
		return nil, fmt.Errorf("pruning: %s cannot be ranked over all layers together, for groups differ in size", cfg.Pattern)
	}
	for _, s := range slices.Concat(cfg.Threshold, cfg.Deviations, cfg.Sparsity) {
		if !s.Course.IsZero() {
			return nil, fmt.Errorf("pruning %q: the schedule of pruning is not that of a setting", s)
		}
	}
	if !fraction.contains(cfg.Floor) {
		return nil, outside("global-floor", "", cfg.Floor, fraction)
	}
	if err := errors.Join(cfg.Ramp.Check(), cfg.CheckRegrow()); err != nil {
		return nil, err
	}
	if cfg.Regrow != NoRegrowth && cfg.Ramp.Begin == cfg.Ramp.End {
		return nil, fmt.Errorf("regrow: pruning begins and ends at step %d, which leaves no time for it", cfg.Ramp.End)
	}
	pr := &Pruner{cfg: cfg, state: map[string][]float32{}, ends: ends(params)}
	for _, p := range params {
		if err := p.check(); err != nil {
			return nil, err
		}
		plan := PrunePlan{Param: p}
		plan.Threshold = pr.decide(&plan, "prune-threshold", cfg.Threshold)
		plan.Deviations = pr.decide(&plan, "prune-deviations", cfg.Deviations)
		plan.Sparsity = pr.decide(&plan, "sparsity", cfg.Sparsity)
		pr.plans = append(pr.plans, plan)
		if plan.Sparsity == 0 {
			continue
		}
		if err := cfg.Pattern.checkSparsity(plan.Sparsity); err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		pr.addToPool(plan.Sparsity, p)
		if cfg.Score.NeedsData() {
			pr.state[p.Name] = make([]float32, len(p.Value))
		}
	}
	if cfg.Kernel {
		pr.allocate()
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

// allocate notes the sparsity that each parameter gets by its shape.
func (pr *Pruner) allocate() {
	for _, pool := range pr.pools {
		for i, count := range kernelCounts(pool.params, pool.sparsity) {
			p := pool.params[i]
			plan := &pr.plans[slices.IndexFunc(pr.plans, func(plan PrunePlan) bool { return plan.Param == p })]
			plan.Sparsity = float64(count) / float64(len(p.Value))
			why := &plan.Why[len(plan.Why)-1]
			why.Value, why.From = plan.Sparsity, why.From+", by its shape"
		}
	}
}

// decide finds the value of a field and notes why.
func (pr *Pruner) decide(plan *PrunePlan, field string, list Settings) float64 {
	p := plan.Param
	s, ok := list.decide(p, decayedOnly)
	if !ok || s.Select.IsZero() && !p.Trainable || p.Role == Running || p.Role == Constant {
		return 0
	}
	if end := pr.dense(p); end != "" && s.Select.IsZero() {
		plan.Why = append(plan.Why, Reason{Field: field, From: end})
		return 0
	}
	plan.Why = append(plan.Why, Reason{Field: field, Value: s.Value, From: s.String()})
	return s.Value
}

// ends are the least and the greatest depth of what is pruned by default.
func ends(params []*Param) [2]int {
	depths := [2]int{math.MaxInt, -1}
	for _, p := range params {
		if p.Decayed() {
			depths[0], depths[1] = min(depths[0], p.Depth), max(depths[1], p.Depth)
		}
	}
	return depths
}

// dense says why p is left alone by default, if it is.
func (pr *Pruner) dense(p *Param) string {
	switch {
	case pr.cfg.DenseFirst && p.Depth == pr.ends[0]:
		return "dense first"
	case pr.cfg.DenseLast && p.Depth == pr.ends[1]:
		return "dense last"
	}
	return ""
}

// addToPool puts p among those it is ranked with.
func (pr *Pruner) addToPool(sparsity float64, p *Param) {
	if pr.cfg.Global || pr.cfg.Kernel {
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
		limit := plan.Threshold
		if plan.Deviations > 0 {
			limit = max(limit, plan.Deviations*plan.Param.Deviation())
		}
		if limit > 0 {
			PruneThreshold(plan.Param, limit)
		}
	}
	for _, pool := range pr.pools {
		if err := pr.prune(pool.params, pr.cfg.Ramp.At(t, pool.sparsity)); err != nil {
			return fmt.Errorf("global pruning at step %d: %w", t, err)
		}
	}
	return nil
}

// prune brings params, which are ranked together, to a sparsity.
func (pr *Pruner) prune(params []*Param, sparsity float64) error {
	if pr.cfg.Pattern != "" {
		counts := make([]int, len(params))
		if pr.cfg.Kernel {
			counts = kernelCounts(params, sparsity)
		}
		for i, p := range params {
			share := sparsity
			if pr.cfg.Kernel {
				share = float64(counts[i]) / float64(len(p.Value))
			}
			pr.prunePattern(p, share)
		}
		return nil
	}
	ranked := make([]*Param, len(params))
	for i, p := range params {
		ranked[i] = pr.ranked(p)
	}
	switch {
	case pr.cfg.Global:
		if err := PruneGlobal(ranked, sparsity, pr.cfg.Floor); err != nil {
			return err
		}
	case pr.cfg.Kernel:
		PruneKernel(ranked, sparsity)
	default:
		PruneMagnitude(ranked[0], sparsity)
	}
	for i, p := range params {
		p.follow(ranked[i])
	}
	return nil
}

// prunePattern brings p to a sparsity in groups.
func (pr *Pruner) prunePattern(p *Param, sparsity float64) {
	if _, m, ok := pr.cfg.Pattern.neighbours(); ok {
		p.pruneNeighbours(pr.score(p), m, sparsity)
	} else {
		p.pruneGroups(pr.score(p), Grouping(pr.cfg.Pattern), sparsity)
	}
}
