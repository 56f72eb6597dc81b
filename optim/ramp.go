package optim

import (
	"cmp"
	"fmt"
	"slices"
)

// Ramp is a sparsity schedule. From step Begin to step End the sparsity rises
// from Initial to the final one along a cubic, fast while there is much to
// prune and slowly towards the end:
//
//	s(t) = s_f + (s_i − s_f)·(1 − (t−t₀)/(t₁−t₀))³
//
// and stays at s_f after. With End = Begin all is pruned at once. With another
// Shape than that cubic, what is left of s_i − s_f falls like it: along a line, a
// cosine, in steps; constant prunes all at the End.
//
// Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning
// for model compression", 2017, https://arxiv.org/abs/1710.01878.
type Ramp struct {
	Begin, End int     // steps, 0 ≤ Begin ≤ End
	Every      int     // prune each so many steps from Begin on, and at End; 0 means 1
	Initial    float64 // sparsity at Begin, [0, 1)
	PerEpoch   int     // steps of an epoch, for lengths in Shape
	Shape      Course  // from 1 at Begin to 0 at End; the zero Course is the cubic
}

// Check reports a field outside its range.
func (r Ramp) Check() error {
	switch {
	case r.Begin < 0:
		return fmt.Errorf("prune begin: step %d is not in [0, inf)", r.Begin)
	case r.End < r.Begin:
		return fmt.Errorf("prune end: step %d is before the begin, step %d", r.End, r.Begin)
	case r.Every < 0:
		return fmt.Errorf("prune every: %d steps is not in [0, inf)", r.Every)
	case !belowOne.contains(r.Initial):
		return outside("initial sparsity", "", r.Initial, belowOne)
	case !r.falls():
		return fmt.Errorf("prune schedule: %q is not one that only falls", r.Shape)
	}
	return nil
}

// falls reports whether the shape never rises, in a run of some length.
func (r Ramp) falls() bool {
	if r.Shape.IsZero() {
		return true
	}
	if r.Shape.HasWarmup() || r.Shape.Plateau != nil {
		return false
	}
	return slices.IsSortedFunc(r.Shape.sampled(), func(a, b float64) int { return cmp.Compare(b, a) })
}

// Due reports whether pruning happens at step t.
func (r Ramp) Due(t int) bool {
	if t < r.Begin || t > r.End {
		return false
	}
	return t == r.End || (t-r.Begin)%max(1, r.Every) == 0
}

// At is the sparsity at step t on the way to final: 0 before Begin.
func (r Ramp) At(t int, final float64) float64 {
	switch {
	case t < r.Begin:
		return 0
	case t >= r.End:
		return final
	}
	fall, length := Polynomial(3, 0), r.End-r.Begin
	if !r.Shape.IsZero() {
		fall = r.Shape.Schedule(Run{Steps: length, PerEpoch: r.PerEpoch}, 0)
	}
	left := max(0, min(1, fall(t-r.Begin, length)))
	return final + float64((min(r.Initial, final)-final)*left)
}
