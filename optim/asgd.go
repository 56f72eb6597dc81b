package optim

import "math"

// ASGD is gradient descent that also keeps the mean of the weights from step t₀
// on, in slot "ax":
//
//	ηₜ = η / (1 + λη(t−1))^p        μₜ = 1/max(1, t−1−t₀)
//	w ← (1 − ληₜ)w − ηₜg
//	ax ← ax + μₜ(w − ax)
//
// Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging",
// SIAM Journal on Control and Optimization 30, 1992, in the form of PyTorch.

func asgdSlots(*Param, Hyper) []slot { return []slot{{name: "ax"}} }

func asgd(c *chain, x *tensor) {
	h, before := x.h, float64(x.step-1)
	lr := h.LR / math.Pow(1+float64(h.Lambda*h.LR*before), h.Power)
	c.add(shrink(1-float64(h.Lambda*lr)), descend(lr))
	c.each(averageLoop, factors{mu: float32(1 / max(1, before-h.T0)), slot: 0})
}

// averageLoop moves a mean of the weights towards them.
func averageLoop(b *block, k *factors) {
	w, mean := b.w, b.slot(k.slot)
	if k.mu == 1 {
		copy(mean, w)
		return
	}
	for i, v := range w {
		mean[i] += float32(k.mu * (v - mean[i]))
	}
}
