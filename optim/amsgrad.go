package optim

// AMSGrad is Adam that remembers the largest mean square, so that the rate of a
// coordinate never grows again:
//
//	v̂ ← max(v̂, v)
//	w ← w − η·m̂ / (√(v̂/(1−β₂ᵗ)) + ε)
//
// Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", ICLR 2018,
// https://arxiv.org/abs/1904.09237. Like PyTorch, the maximum is taken before
// the correction.

func amsgradSlots(*Param, Hyper) []slot {
	return []slot{{name: "exp_avg"}, {name: "exp_avg_sq"}, {name: "max_exp_avg_sq"}}
}

func amsgrad(c *chain, x *tensor) {
	correction, root := x.corrections()
	c.rule(amsgradLoop, factors{
		lr:    float32(x.h.LR * root / correction),
		beta1: float32(x.h.Beta1), rest1: float32(1 - x.h.Beta1),
		beta2: float32(x.h.Beta2), rest2: float32(1 - x.h.Beta2),
		eps: float32(x.h.Eps * root),
	})
}

func amsgradLoop(b *block, k *factors) {
	w, u, m, v, most, keep := b.w, b.gradient(), b.slot(0), b.slot(1), b.slot(2), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		mi := float32(k.beta1*m[i]) + float32(k.rest1*g)
		vi := float32(k.beta2*v[i]) + float32(float32(k.rest2*g)*g)
		top := larger(most[i], vi)
		x -= float32(k.lr * (mi / (sqrt(top) + k.eps)))
		w[i], m[i], v[i], most[i] = only(x, live), only(mi, live), only(vi, live), only(top, live)
	}
}

func amsgradRates(x *tensor) rates {
	r := adamRates(x)
	r.slot = 2
	return r
}
