package optim

// AdaBelief divides by how far the gradient lies from what was expected of it,
// instead of by its size:
//
//	m ← β₁m + (1−β₁)g
//	s ← β₂s + (1−β₂)(g−m)² + ε
//	w ← w − η·m̂ / (√ŝ + ε)
//
// Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris and Duncan, "AdaBelief
// Optimizer: Adapting Stepsizes by the Belief in Observed Gradients", NeurIPS
// 2020, https://arxiv.org/abs/2010.07468.

func adabeliefSlots(*Param, Hyper) []slot { return []slot{{name: "exp_avg"}, {name: "exp_avg_var"}} }

func adabelief(c *chain, x *tensor) {
	correction, root := x.corrections()
	c.rule(adabeliefLoop, factors{
		lr:    float32(x.h.LR * root / correction),
		beta1: float32(x.h.Beta1), rest1: float32(1 - x.h.Beta1),
		beta2: float32(x.h.Beta2), rest2: float32(1 - x.h.Beta2),
		eps: float32(x.h.Eps),
		low: float32(x.h.Eps * root),
	})
}

func adabeliefLoop(b *block, k *factors) {
	w, u, m, s, keep := b.w, b.gradient(), b.slot(0), b.slot(1), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		mi := float32(k.beta1*m[i]) + float32(k.rest1*g)
		d := g - mi
		si := float32(k.beta2*s[i]) + float32(float32(k.rest2*d)*d) + k.eps
		x -= float32(k.lr * (mi / (sqrt(si) + k.low)))
		w[i], m[i], s[i] = only(x, live), only(mi, live), only(si, live)
	}
}
