package optim

import "finetune/internal/kernel"

// Stochastic gradient descent as PyTorch has it: with momentum μ, dampening τ
// and, if wanted, Nesterov's look-ahead,
//
//	b ← μb + (1−τ)g        b ← g at the first step
//	u = b                  Nesterov: u = g + μb
//	w ← w − ηu
//
// after Sutskever, Martens, Dahl and Hinton, "On the importance of
// initialization and momentum in deep learning", ICML 2013, except that the
// learning rate multiplies the whole velocity, not the gradient in it.

func momentumSlots(_ *Param, h Hyper) []slot {
	if h.Momentum == 0 {
		return nil
	}
	return []slot{{name: "momentum"}}
}

func sgd(c *chain, x *tensor) {
	if h := x.h; x.slots != nil {
		if x.step == 1 {
			c.add(momentum(0, 1))
		} else {
			c.add(momentum(h.Momentum, 1-h.Dampening))
		}
		if h.Nesterov == 1 {
			c.add(nesterov(h.Momentum))
		} else {
			c.add(followMomentum())
		}
	}
	c.add(descend(x.h.LR))
}

// momentum gathers the gradients: b ← μb + (1−τ)u.
func momentum(mu, keep float64) kernel.Link {
	return kernel.Link{Kind: kernel.Average, A: float32(mu), B: float32(keep)}
}

// followMomentum makes the momentum the update: u ← b.
func followMomentum() kernel.Link { return kernel.Link{Kind: kernel.TakeAverage} }

// nesterov looks ahead: u ← u + μb.
func nesterov(mu float64) kernel.Link {
	return kernel.Link{Kind: kernel.AddAverage, A: float32(mu)}
}
