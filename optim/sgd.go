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

func sgdSlots(h Hyper) []string {
	if h.Momentum == 0 {
		return nil
	}
	return []string{"momentum"}
}

func sgd(c []transform, h Hyper, lr float64, step int) []transform {
	if h.Momentum != 0 {
		m := momentum{mu: float32(h.Momentum), keep: float32(1 - h.Dampening)}
		if step == 1 {
			m.mu, m.keep = 0, 1
		}
		c = append(c, m)
		if h.Nesterov == 1 {
			c = append(c, nesterov{float32(h.Momentum)})
		} else {
			c = append(c, followMomentum{})
		}
	}
	return append(c, descend{float32(lr)})
}

// momentum gathers the gradients: b ← μb + (1−τ)u.
type momentum struct{ mu, keep float32 }

func (m momentum) apply(b *block) { kernel.Average(b.slot[0], b.u, m.mu, m.keep) }

// followMomentum makes the momentum the update: u = b.
type followMomentum struct{}

func (followMomentum) apply(b *block) { copy(b.u, b.slot[0]) }

// nesterov looks ahead: u ← u + μb.
type nesterov struct{ mu float32 }

func (n nesterov) apply(b *block) { kernel.AddScaled(b.u, b.slot[0], n.mu) }
