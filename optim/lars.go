package optim

import "finetune/internal/kernel"

// LARS scales the gradient of each tensor to the size of its weights, and then
// does what SGD with momentum does:
//
//	l = τ‖w‖ / (‖g‖ + λ‖w‖ + ε)      1 if a norm is 0
//	b ← μb + l(g + λw)
//	w ← w − ηb
//
// You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks",
// 2017, https://arxiv.org/abs/1708.03888, with the learning rate outside of the
// momentum. Biases and other vectors have l = 1.

var larsStages = []stage{{}, {whole: larsRate, chain: larsDescent}}

func larsRate(x *tensor) {
	x.figure = 1
	if !x.matrix() {
		return
	}
	if w, g := norm(x.Value), norm(x.source); w > 0 && g > 0 {
		x.figure = x.h.Trust * w / (g + float64(x.h.WeightDecay*w) + x.h.Eps)
	}
}

func larsDescent(c *chain, x *tensor) {
	if x.h.WeightDecay != 0 {
		c.add(addL2(x.h.WeightDecay))
	}
	if x.slots == nil {
		c.add(descend(x.h.LR * x.figure))
		return
	}
	c.add(
		kernel.Link{Kind: kernel.Average, A: float32(x.h.Momentum), B: float32(x.figure)},
		followMomentum(),
		descend(x.h.LR))
}
