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

func adamSlots(Hyper) []string { return []string{"exp_avg", "exp_avg_sq"} }

func adam(c []kernel.Link, h Hyper, lr float64, step int) []kernel.Link {
	correction1 := 1 - math.Pow(h.Beta1, float64(step))
	root := math.Sqrt(1 - math.Pow(h.Beta2, float64(step)))
	return append(c,
		meanGradient(h.Beta1),
		meanSquare(h.Beta2),
		adaptive(h.Eps*root),
		descend(lr*root/correction1))
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
