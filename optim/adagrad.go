package optim

// Adagrad divides by the root of the sum of all squared gradients so far, so that
// rates of coordinates that have moved much become small:
//
//	s ← s + g²
//	w ← w − η/(1 + (t−1)·d) · g/(√s + ε)
//
// with the decay d of the learning rate, 0 by default. Duchi, Hazan and Singer,
// "Adaptive Subgradient Methods for Online Learning and Stochastic
// Optimization", JMLR 12, 2011.

func adagradSlots(_ *Param, h Hyper) []slot {
	return []slot{{name: "sum", first: float32(h.InitialSum)}}
}

func adagrad(c *chain, x *tensor) {
	r := adagradRates(x)
	c.rule(adagradLoop, factors{lr: float32(r.lr), eps: float32(r.eps)})
}

func adagradLoop(b *block, k *factors) {
	w, u, s, keep := b.w, b.gradient(), b.slot(0), b.mask()
	for i := range w {
		sum := s[i] // late, it would be waited for
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		sum += float32(g * g)
		x -= float32(k.lr * (g / (sqrt(sum) + k.eps)))
		w[i], s[i] = only(x, live), only(sum, live)
	}
}

func adagradRates(x *tensor) rates {
	return rates{slot: 0, lr: x.h.LR / (1 + float64(float64(x.step-1)*x.h.LRDecay)), eps: x.h.Eps}
}
