package optim

import "math"

// NAdam is Adam with Nesterov's momentum, whose memory μ grows with the steps:
//
//	μₜ = β₁(1 − ½·0.96^(tψ))
//	w ← w − η·( μₜ₊₁m/(1 − Πᵗ⁺¹μ) + (1−μₜ)g/(1 − Πᵗμ) ) / (√v̂ + ε)
//
// Dozat, "Incorporating Nesterov Momentum into Adam", ICLR 2016 workshop. The
// product of all μ is kept with the moments. PyTorch before 2.0 has μₜ twice in
// Πᵗ⁺¹μ.

func nadamSlots(*Param, Hyper) []slot {
	return []slot{{name: "exp_avg"}, {name: "exp_avg_sq"}, {name: "mu_product", size: 1, first: 1}}
}

func nadam(c *chain, x *tensor) {
	h := x.h
	mu := func(t int) float64 { return h.Beta1 * (1 - 0.5*math.Pow(0.96, float64(t)*h.MomentumDecay)) }
	now, next := mu(x.step), mu(x.step+1)
	x.slots[2][0] *= float32(now)
	product := float64(x.slots[2][0])
	_, root := x.corrections()
	c.rule(nadamLoop, factors{
		// In the step, mu is the share of the mean and lr that of the gradient.
		mu:    float32(h.LR * root * next / (1 - product*next)),
		lr:    float32(h.LR * root * (1 - now) / (1 - product)),
		beta1: float32(h.Beta1), rest1: float32(1 - h.Beta1),
		beta2: float32(h.Beta2), rest2: float32(1 - h.Beta2),
		eps: float32(h.Eps * root),
	})
}

func nadamLoop(b *block, k *factors) {
	w, u, m, v, keep := b.w, b.gradient(), b.slot(0), b.slot(1), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		mi := float32(k.beta1*m[i]) + float32(k.rest1*g)
		vi := float32(k.beta2*v[i]) + float32(float32(k.rest2*g)*g)
		x -= (float32(k.mu*mi) + float32(k.lr*g)) / (sqrt(vi) + k.eps)
		w[i], m[i], v[i] = only(x, live), only(mi, live), only(vi, live)
	}
}
