package optim

// LAMB scales the step of each tensor to the size of its weights, so that very
// large batches can have large learning rates:
//
//	r = m̂/(√v̂ + ε) + λw              with the moments of Adam
//	w ← w − η·‖w‖/‖r‖ · r            the quotient is 1 if a norm is 0
//
// The decay λ is part of the step. You, Li, Reddi, Hseu, Kumar, Bhojanapalli,
// Song, Demmel, Keutzer and Hsieh, "Large Batch Optimization for Deep Learning:
// Training BERT in 76 minutes", ICLR 2020, https://arxiv.org/abs/1904.00962.
// Biases and other vectors take the step as it is, as in the authors' program.
//
// As in Adam the corrections are taken out of the loop: what the first stage
// computes is r/c, c = √(1−β₂ᵗ)/(1−β₁ᵗ).

var lambStages = []stage{{chain: lambDirection}, {whole: lambRatio, chain: lambDescent}}

func lambDirection(c *chain, x *tensor) {
	correction, root := x.corrections()
	c.add(meanGradient(x.h.Beta1), meanSquare(x.h.Beta2), adaptive(x.h.Eps*root))
	if x.h.WeightDecay != 0 {
		c.add(addL2(x.h.WeightDecay * correction / root))
	}
}

func lambRatio(x *tensor) {
	correction, root := x.corrections()
	x.figure = root / correction
	if x.matrix() {
		x.figure = trust(norm(x.Value), norm(x.update)*x.figure) * x.figure
	}
}

func lambDescent(c *chain, x *tensor) { c.add(descend(x.h.LR * x.figure)) }

// trust is a/b, or 1 if one of them is 0.
func trust(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 1
	}
	return a / b
}
