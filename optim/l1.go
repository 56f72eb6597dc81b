package optim

import "finetune/internal/kernel"

// addL1 puts the penalty λ|w| into the gradient by its subgradient of least
// size: u ← u + λ·sign(w), sign(0) = 0.
func addL1(lambda float64) kernel.Link {
	return kernel.Link{Kind: kernel.AddSigns, A: float32(lambda)}
}

// softThreshold is the proximal operator of t|w|, t = ηλ: it pulls each weight
// towards zero by t and stops there, w ← sign(w)·max(|w| − t, 0). Zeros it makes
// are exact, and positive.
//
// Daubechies, Defrise and De Mol, "An iterative thresholding algorithm for
// linear inverse problems with a sparsity constraint", Communications on Pure
// and Applied Mathematics 57, 2004.
func softThreshold(t float64) kernel.Link {
	return kernel.Link{Kind: kernel.Shrink, A: float32(t)}
}

// rates are the learning rates of the coordinates under a rule that scales each:
// lr / (√s + eps), where s is a slot; lr where the slot is -1.
type rates struct {
	slot    int
	lr, eps float64
}

// proximalL1 appends the soft threshold. With rules such as Adam, a threshold ηλ
// for all coordinates makes zeros where the rule would have the weights move far,
// as well as where not; with Config.L1Step Coordinate each has the rate that the
// rule gives it, which is the proximal step in the rule's own metric: Yun, Lozano
// and Yang, "Adaptive Proximal Gradient Methods for Structured Neural Networks",
// NeurIPS 2021.
func (c *chain) proximalL1(x *tensor, r *rule, step L1Step) {
	if step == Coordinate {
		if rates := r.rates(x); rates.slot >= 0 {
			c.each(coordinateThreshold, factors{slot: rates.slot, lr: float32(rates.lr * x.h.L1), eps: float32(rates.eps)})
			return
		}
	}
	c.add(softThreshold(x.h.LR * x.h.L1))
}

// coordinateThreshold is softThreshold with t/(√s + ε) in place of t.
func coordinateThreshold(b *block, k *factors) {
	w, s := b.w, b.slot(k.slot)
	for i, v := range w {
		w[i] = towards(v, 0, k.lr/(sqrt(s[i])+k.eps))
	}
}
