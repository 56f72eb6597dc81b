package optim

import "finetune/internal/kernel"

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
	c.add(gatherSquares(1, 1), divide(r.eps), descend(r.lr))
}

// gatherSquares keeps squares in place of a mean gradient: s ← keep·s + add·u².
func gatherSquares(keep, add float64) kernel.Link {
	return kernel.Link{Kind: kernel.GatherSquares, A: float32(keep), B: float32(add)}
}

// divide makes rates of them: u ← u / (√s + ε).
func divide(eps float64) kernel.Link { return kernel.Link{Kind: kernel.Divide, A: float32(eps)} }

func adagradRates(x *tensor) rates {
	return rates{slot: 0, lr: x.h.LR / (1 + float64(float64(x.step-1)*x.h.LRDecay)), eps: x.h.Eps}
}
