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
	c.add(meanGradient(x.h.Beta1), meanSquare(x.h.Beta2))
	c.each(amsgradLoop, factors{lr: float32(x.h.LR * root / correction), eps: float32(x.h.Eps * root)})
}

func amsgradLoop(b *block, k *factors) {
	w, m, v, most := b.w, b.slot(0), b.slot(1), b.slot(2)
	for i := range w {
		most[i] = max(most[i], v[i])
		w[i] -= float32(k.lr * (m[i] / (sqrt(most[i]) + k.eps)))
	}
}

func amsgradRates(x *tensor) rates {
	r := adamRates(x)
	r.slot = 2
	return r
}
