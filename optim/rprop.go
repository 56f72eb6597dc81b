package optim

// Rprop looks at nothing but the sign of the gradient. Each coordinate has a step
// of its own, which grows by η⁺ where the sign stays and shrinks by η⁻ where it
// changes; there the coordinate waits for one step:
//
//	g·g′ > 0:  s ← min(η⁺s, smax)
//	g·g′ < 0:  s ← max(η⁻s, smin), g ← 0
//	w ← w − sign(g)·s
//
// It is for gradients of all examples at once. The learning rate is the first
// step, and nothing after. Riedmiller and Braun, "A Direct Adaptive Method for
// Faster Backpropagation Learning: The RPROP Algorithm", ICNN 1993, in the form
// without backtracking.

func rpropSlots(_ *Param, h Hyper) []slot {
	return []slot{{name: "prev"}, {name: "step_size", first: float32(h.LR)}}
}

func rprop(c *chain, x *tensor) {
	c.each(rpropLoop, factors{
		beta1: float32(x.h.EtaMinus), beta2: float32(x.h.EtaPlus),
		low: float32(x.h.StepMin), high: float32(x.h.StepMax),
	})
}

func rpropLoop(b *block, k *factors) {
	w, u, prev, step := b.w, b.u, b.slot(0), b.slot(1)
	for i, g := range u {
		factor := float32(1)
		switch turn := float32(g * prev[i]); {
		case turn > 0:
			factor = k.beta2
		case turn < 0:
			factor, g = k.beta1, 0
		}
		step[i] = max(k.low, min(k.high, step[i]*factor))
		w[i] -= float32(sign(g) * step[i])
		prev[i] = g
	}
}
