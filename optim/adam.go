package optim

import (
	"math"

	"finetune/internal/kernel"
)

// Adam divides a running mean of the gradient by the root of a running mean of
// its square, both corrected for having started at zero. At step t, from 1:
//
//	m ← β₁m + (1−β₁)g        m̂ = m / (1−β₁ᵗ)
//	v ← β₂v + (1−β₂)g²       v̂ = v / (1−β₂ᵗ)
//	w ← w − η·m̂ / (√v̂ + ε)
//
// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015,
// https://arxiv.org/abs/1412.6980. AdamW adds decay beside the gradient, before
// the update: Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
// ICLR 2019, https://arxiv.org/abs/1711.05101.
//
// As in PyTorch the corrections are computed in float64, the first is part of
// the step size, and ε is added to the corrected root.

func adamSlots(Hyper) []string { return []string{"exp_avg", "exp_avg_sq"} }

func adam(c []transform, h Hyper, lr float64, step int) []transform {
	correction1 := 1 - math.Pow(h.Beta1, float64(step))
	correction2 := 1 - math.Pow(h.Beta2, float64(step))
	return append(c,
		moments{
			beta1: float32(h.Beta1), rest1: float32(1 - h.Beta1),
			beta2: float32(h.Beta2), rest2: float32(1 - h.Beta2),
		},
		adaptive{root: float32(math.Sqrt(correction2)), eps: float32(h.Eps)},
		descend{float32(lr / correction1)})
}

// moments averages the gradient and its square: m ← β₁m + (1−β₁)u,
// v ← β₂v + (1−β₂)u².
type moments struct{ beta1, rest1, beta2, rest2 float32 }

func (a moments) apply(b *block) {
	kernel.Average(b.slot[0], b.u, a.beta1, a.rest1)
	kernel.AverageSquares(b.slot[1], b.u, a.beta2, a.rest2)
}

// adaptive makes the update a ratio of moments: u = m / (√v/√(1−β₂ᵗ) + ε).
type adaptive struct{ root, eps float32 }

func (a adaptive) apply(b *block) {
	kernel.Normalized(b.u, b.slot[0], b.slot[1], a.root, a.eps)
}
