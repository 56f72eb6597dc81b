package optim

// Lion follows the sign of a mean of gradients, and remembers a slower one:
//
//	u = sign(β₁m + (1−β₁)g)
//	m ← β₂m + (1−β₂)g
//	w ← w − ηu
//
// All steps are equally long, so its learning rate is a third to a tenth of
// Adam's, and its decay is larger by as much. Chen, Liang, Huang, Real, Wang,
// Liu, Pham, Dong, Luong, Hsieh, Lu and Le, "Symbolic Discovery of Optimization
// Algorithms", NeurIPS 2023, https://arxiv.org/abs/2302.06675.

func lionSlots(*Param, Hyper) []slot { return []slot{{name: "exp_avg"}} }

func lion(c *chain, x *tensor) {
	c.rule(lionLoop, factors{
		lr:    float32(x.h.LR),
		beta1: float32(x.h.Beta1), rest1: float32(1 - x.h.Beta1),
		beta2: float32(x.h.Beta2), rest2: float32(1 - x.h.Beta2),
	})
}

func lionLoop(b *block, k *factors) {
	w, u, m, keep := b.w, b.gradient(), b.slot(0), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		x -= float32(k.lr * sign(float32(k.beta1*m[i])+float32(k.rest1*g)))
		mi := float32(k.beta2*m[i]) + float32(k.rest2*g)
		w[i], m[i] = only(x, live), only(mi, live)
	}
}
