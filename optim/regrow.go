package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Regrowth lets pruned weights come back in place of others. It is the one way out
// of a mask: without it, what is pruned stays so.
//
//	rigl   those grow whose gradient is largest, which the loss asks for most
//	set    those that chance picks, by Pruning.Seed, of all that have a gradient
//
// Each time that pruning is due, but for the last, a share of the weights that each
// parameter has left is dropped, those of least magnitude, and as many grow among
// all that are not left then. What is dropped and picked again stays as it is. What
// is new starts at zero, with nothing that the optimizer would remember of it. So
// each parameter has as many pruned weights as before.
//
// The share is Pruning.RegrowFraction: with set all the time, with rigl along half a
// cosine, from that at Ramp.Begin to 0 at Ramp.End.
//
// A weight that has no gradient does not grow, as those of pixels in a corner that
// are always black: it would be zero without being pruned. Where too few have one,
// fewer are exchanged. One that has grown may lose its gradient in the step after, by
// what was dropped; [Param.Zeros] is then greater than [Param.Pruned]. Such go at the
// next exchange. The last one is of hardly any weights with rigl; with set, a few may
// remain.
//
// Mocanu, Mocanu, Stone, Nguyen, Gibescu and Liotta, "Scalable training of
// artificial neural networks with adaptive sparse connectivity inspired by network
// science", Nature Communications 9, 2018, who drop positive and negative weights
// apart, give new ones random values, and do not look at gradients; Evci, Gale,
// Menick, Castro and Elsen, "Rigging the Lottery: Making All Tickets Winners", ICML
// 2020, from whose code the details are. Both keep to one sparsity from the first
// step to the last. While it rises, this is the regeneration of Liu et al., "Sparse
// Training via Boosting Pruning Plasticity with Neuroregeneration", NeurIPS 2021.
type Regrowth string

// The ways to regrow.
const (
	NoRegrowth Regrowth = ""
	RigL       Regrowth = "rigl"
	SET        Regrowth = "set"
)

// Regrowths lists every Regrowth but none.
var Regrowths = []Regrowth{RigL, SET}

// DefaultRegrowFraction is the share that both papers settled on.
const DefaultRegrowFraction = 0.3

// Check reports a way that is none.
func (g Regrowth) Check() error {
	if g == NoRegrowth || slices.Contains(Regrowths, g) {
		return nil
	}
	var names []string
	for _, g := range Regrowths {
		names = append(names, string(g))
	}
	return fmt.Errorf("regrow: %q is not one of %s", string(g), strings.Join(names, ", "))
}

// CheckRegrow reports what regrowth cannot go together with, but for a Ramp that
// leaves it no time, which is for [NewPruner] to report.
func (c Pruning) CheckRegrow() error {
	if err := c.Regrow.Check(); err != nil || c.Regrow == NoRegrowth {
		return err
	}
	switch {
	case c.RegrowFraction != 0 && !insideOne.contains(c.RegrowFraction):
		return fmt.Errorf("regrow-fraction: %g is not in (0, 1)", c.RegrowFraction)
	case c.Pattern != "":
		return fmt.Errorf("regrow: weights grow one by one, which would break the pattern %s", c.Pattern)
	case len(c.Sparsity) == 0:
		return errors.New("regrow: without a sparsity nothing is pruned that could grow again")
	}
	return nil
}

// regrowFraction is the share of the weights left that goes for others at step t.
func (c Pruning) regrowFraction(t int) float64 {
	share := c.RegrowFraction
	if share == 0 {
		share = DefaultRegrowFraction
	}
	if c.Regrow == RigL {
		done := float64(t-c.Ramp.Begin) / float64(c.Ramp.End-c.Ramp.Begin)
		share *= (1 + math.Cos(math.Pi*done)) / 2
	}
	return share
}

// Pin keeps what is pruned now from growing again, such as zeros that weights came
// with. It is for the time before masks of a checkpoint are restored.
func (pr *Pruner) Pin() {
	if pr.cfg.Regrow == NoRegrowth {
		return
	}
	pr.pinned = map[*Param][]bool{}
	for _, plan := range pr.plans {
		pr.pinned[plan.Param] = slices.Clone(plan.Param.Mask)
	}
}

// Regrows reports whether Regrow does anything at step t.
func (pr *Pruner) Regrows(t int) bool {
	return pr.cfg.Regrow != NoRegrowth && pr.Due(t) && t < pr.cfg.Ramp.End
}

// Regrow drops weights and lets others grow, if that is due at step t, in parameters
// with a sparsity that o trains. It comes after Step and before the next step of o,
// with Grad the gradient of all weights, those that are pruned at zero. Where the
// next step is for the same examples, what has grown leaves zero with it.
//
// It panics if there is no gradient, or if the rule of o is one with a Closure, whose
// memory is not of single weights.
func (pr *Pruner) Regrow(t int, o *Optimizer) {
	if !pr.Regrows(t) {
		return
	}
	if o.rule.Closure {
		panic("optim: Regrow: rule " + o.rule.Name + " cannot forget a single weight")
	}
	share := pr.cfg.regrowFraction(t)
	for _, x := range o.tensors {
		p := x.Param
		pruned := p.Pruned()
		if pruned == 0 || !slices.ContainsFunc(pr.plans, func(plan PrunePlan) bool { return plan.Param == p && plan.Sparsity > 0 }) {
			continue
		}
		if len(p.Grad) != len(p.Value) {
			panic(fmt.Sprintf("optim: Regrow: parameter %q has a gradient of length %d, want %d", p.Name, len(p.Grad), len(p.Value)))
		}
		score := p.Grad
		if pr.cfg.Regrow == SET {
			score = chance(pr.cfg.Seed, fmt.Sprintf("%s, regrown at step %d", p.Name, t), len(p.Value))
			for i, g := range p.Grad {
				if g == 0 {
					score[i] = 0
				}
			}
		}
		k := int(share * float64(len(p.Value)-pruned))
		x.forget(p.exchange(k, score, pr.pinned[p]))
	}
}

// exchange drops the k smallest weights of p and lets the k of the greatest scores
// grow, of equal ones the last, but none that pinned has false. Where fewer that are
// pruned have a score, so many are exchanged. It returns which are new.
func (p *Param) exchange(k int, score []float32, pinned []bool) []int {
	free := func(i int) bool { return pinned == nil || pinned[i] }
	able := 0
	for i, kept := range p.Mask {
		if !kept && free(i) && score[i] != 0 {
			able++
		}
	}
	k = min(k, able)
	stay := &Param{Value: slices.Clone(p.Value), Mask: slices.Clone(p.Mask)}
	stay.pruneSmallest(p.Pruned() + k)
	grow := &Param{Value: slices.Clone(score), Mask: make([]bool, len(score))}
	for i, left := range stay.Mask {
		grow.Mask[i] = !left && free(i)
	}
	grow.pruneSmallest(len(score) - k)
	var grown []int
	for i, kept := range p.Mask {
		if grow.Mask[i] && !kept {
			grown = append(grown, i)
		}
		p.Mask[i] = stay.Mask[i] || grow.Mask[i]
	}
	p.ApplyMask()
	return grown
}

// forget makes what the rule remembers of some weights what it is at first. What was
// pruned since the last step still has its moments.
func (x *tensor) forget(weights []int) {
	for i, kind := range x.kinds {
		if x.elementwise(i) {
			for _, k := range weights {
				x.slots[i][k] = kind.first
			}
		}
	}
}
