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
	c.add(shrink(1 - float64(h.Lambda*lr)))
	if mu := 1 / max(1, before-h.T0); mu == 1 {
		c.rule(asgdLoop, factors{lr: float32(lr)})
	} else {
		c.rule(asgdAverageLoop, factors{lr: float32(lr), mu: float32(mu)})
	}
}

// asgdLoop is for the steps up to t₀, whose mean is the weight.
func asgdLoop(b *block, k *factors) {
	w, u, keep := b.w, b.gradient(), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		w[i] = only(x-float32(k.lr*g), all(keep[i]))
	}
	copy(b.slot(0), w)
}

func asgdAverageLoop(b *block, k *factors) {
	w, u, mean, keep := b.w, b.gradient(), b.slot(0), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		x -= float32(k.lr * g)
		ax := mean[i] + float32(k.mu*(x-mean[i]))
		w[i], mean[i] = only(x, live), only(ax, live)
	}
}
