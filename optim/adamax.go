package optim

import "math"

// Adamax is Adam with the largest gradient of late in place of the root mean
// square:
//
//	m ← β₁m + (1−β₁)g
//	u ← max(β₂u, |g| + ε)
//	w ← w − η/(1−β₁ᵗ) · m/u
//
// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section
// 7.1; the ε is PyTorch's.

func adamaxSlots(*Param, Hyper) []slot { return []slot{{name: "exp_avg"}, {name: "exp_inf"}} }

func adamax(c *chain, x *tensor) {
	c.rule(adamaxLoop, factors{
		beta1: float32(x.h.Beta1), rest1: float32(1 - x.h.Beta1),
		lr:    float32(x.h.LR / (1 - math.Pow(x.h.Beta1, float64(x.step)))),
		beta2: float32(x.h.Beta2),
		eps:   float32(x.h.Eps),
	})
}

func adamaxLoop(b *block, k *factors) {
	w, u, m, largest, keep := b.w, b.gradient(), b.slot(0), b.slot(1), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		mi := float32(k.beta1*m[i]) + float32(k.rest1*g)
		top := larger(k.beta2*largest[i], size(g)+k.eps)
		x -= float32(k.lr * (mi / top))
		w[i], m[i], largest[i] = only(x, live), only(mi, live), only(top, live)
	}
}
