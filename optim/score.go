package optim

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Score says which weights are pruned first: those whose score is the lowest.
//
//	magnitude   |w|
//	lamp        |w|/√Σv² over the weights v of the layer with |v| ≥ |w|: magnitude
//	            for ranking layers with each other, whatever their scale
//	movement    Σ|w·g| over the steps, what the loss loses with w to the first
//	            order; older steps count less, a hundredth from one to the next
//	snip        |w·Σg|, the same at the start, over examples for calibration
//	wanda       |w|·‖x‖, x what the weight multiplies, over these examples
//	random      the same for all: a baseline, drawn from a seed
//
// The empty score is magnitude, and so are movement and snip for a parameter that
// is pruned but not trained. A sum is plain data, one number for each weight:
// [Pruner.State].
//
// Han et al., NIPS 2015; Lee, Park, Mo, Ahn and Shin, "Layer-adaptive Sparsity for
// the Magnitude-based Pruning", ICLR 2021; Molchanov, Tyree, Karras, Aila and
// Kautz, "Pruning Convolutional Neural Networks for Resource Efficient Inference",
// ICLR 2017, whose first-order criterion movement is; Sanh, Wolf and Rush,
// "Movement Pruning", NeurIPS 2020, who take −w·g without the absolute value; Lee,
// Ajanthan and Torr, "SNIP", ICLR 2019; Sun, Liu, Bair and Kolter, "A Simple and
// Effective Pruning Approach for Large Language Models", 2023, who rank each output
// by itself.
type Score string

// The scores.
const (
	Magnitude Score = "magnitude"
	LAMP      Score = "lamp"
	Movement  Score = "movement"
	SNIP      Score = "snip"
	Wanda     Score = "wanda"
	Random    Score = "random"
)

// Scores lists every Score.
var Scores = []Score{Magnitude, LAMP, Movement, SNIP, Wanda, Random}

// movementMemory is what a sum of movement keeps from one step to the next.
const movementMemory = 0.99

// NeedsData reports whether a score comes from examples.
func (s Score) NeedsData() bool { return s == Movement || s.Calibrated() }

// Calibrated reports whether a score comes from examples before the first step.
func (s Score) Calibrated() bool { return s == SNIP || s == Wanda }

// Check reports a score that is none.
func (s Score) Check() error {
	if s == "" || slices.Contains(Scores, s) {
		return nil
	}
	var names []string
	for _, s := range Scores {
		names = append(names, string(s))
	}
	return fmt.Errorf("score: %q is not one of %s", string(s), strings.Join(names, ", "))
}

// Observe takes the gradients of a step into account, before weights move.
func (pr *Pruner) Observe() {
	if pr.cfg.Score != Movement {
		return
	}
	for _, plan := range pr.plans {
		sum := pr.state[plan.Param.Name]
		if sum == nil || plan.Param.Grad == nil {
			continue
		}
		for i, g := range plan.Param.Grad {
			sum[i] = float32(sum[i] * movementMemory)
			if w := plan.Param.Value[i]; w != 0 { // the gradient of what is pruned is not computed
				sum[i] += float32(math.Abs(float64(w) * float64(g)))
			}
		}
	}
}

// State is what scores are made of, by the name of the parameter: the sums of
// movement, |w·Σg| of snip, ‖x‖ of wanda. The latter two are for the caller to
// fill in before the first step. Slices are the pruner's own; other scores have
// none.
func (pr *Pruner) State() map[string][]float32 { return pr.state }

// Load copies a state into that of pr. It reports, and then changes nothing,
// parameters or lengths that are not those of pr.
func (pr *Pruner) Load(state map[string][]float32) error {
	if err := sameKeys("score of parameter", state, pr.state); err != nil {
		return err
	}
	for name, own := range pr.state {
		if got := len(state[name]); got != len(own) {
			return fmt.Errorf("score: parameter %q has %d values, want %d", name, got, len(own))
		}
	}
	for name, own := range pr.state {
		copy(own, state[name])
	}
	return nil
}

// score is that of every weight of p, by size: signs do not matter.
func (pr *Pruner) score(p *Param) []float32 {
	switch pr.cfg.Score {
	case Movement, SNIP:
		if !p.Trainable { // no gradients
			return p.Value
		}
		return pr.state[p.Name]
	case LAMP:
		return lampScores(p)
	case Wanda:
		list := slices.Clone(pr.state[p.Name])
		for i, w := range p.Value {
			list[i] *= w
		}
		return list
	case Random:
		return chance(pr.cfg.Seed, p.Name, len(p.Value))
	}
	return p.Value
}

// chance draws n numbers from [1, 2): the same for the same seed and purpose.
func chance(seed uint64, purpose string, n int) []float32 {
	hash := fnv.New64a()
	hash.Write([]byte(purpose))
	r := rand.New(rand.NewPCG(seed, hash.Sum64()))
	list := make([]float32, n)
	for i := range list {
		list[i] = 1 + r.Float32()
	}
	return list
}

// ranked is a parameter whose weights are the scores of p, to be pruned in its
// place; p itself where the scores are its weights.
func (pr *Pruner) ranked(p *Param) *Param {
	if s := pr.cfg.Score; s == "" || s == Magnitude {
		return p
	}
	return &Param{Name: p.Name, Shape: p.Shape, Value: slices.Clone(pr.score(p)), Mask: p.Mask}
}

// follow prunes of p what was pruned of the parameter that stood for it.
func (p *Param) follow(ranked *Param) {
	if p != ranked {
		p.Mask = ranked.Mask
		p.ApplyMask()
	}
}
