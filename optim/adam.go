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
// The corrections are computed in float64 and taken out of the loop. With r =
// √(1−β₂ᵗ) the step is ηr/(1−β₁ᵗ) · m/(√v + εr).

func adamSlots(*Param, Hyper) []slot { return []slot{{name: "exp_avg"}, {name: "exp_avg_sq"}} }

func adam(c *chain, x *tensor) {
	correction, root := x.corrections()
	c.add(
		meanGradient(x.h.Beta1),
		meanSquare(x.h.Beta2),
		adaptive(x.h.Eps*root),
		descend(x.h.LR*root/correction))
}

// corrections are 1−β₁ᵗ and √(1−β₂ᵗ).
func (x *tensor) corrections() (first, root float64) {
	t := float64(x.step)
	return 1 - math.Pow(x.h.Beta1, t), math.Sqrt(1 - math.Pow(x.h.Beta2, t))
}

// adamRates are the learning rates of the coordinates, ηr / (√v + εr).
func adamRates(x *tensor) rates {
	_, root := x.corrections()
	return rates{slot: 1, lr: x.h.LR * root, eps: x.h.Eps * root}
}

// meanGradient is the first moment: m ← βm + (1−β)u.
func meanGradient(beta float64) kernel.Link {
	return kernel.Link{Kind: kernel.Average, A: float32(beta), B: float32(1 - beta)}
}

// meanSquare is the second moment: v ← βv + (1−β)u².
func meanSquare(beta float64) kernel.Link {
	return kernel.Link{Kind: kernel.AverageSquares, A: float32(beta), B: float32(1 - beta)}
}

// adaptive makes the update a ratio of moments: u ← m / (√v + ε).
func adaptive(eps float64) kernel.Link {
	return kernel.Link{Kind: kernel.Normalize, A: float32(eps)}
}

// descend ends most rules: w ← w − ηu.
func descend(lr float64) kernel.Link { return kernel.Link{Kind: kernel.Descend, A: float32(lr)} }
