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
	c.rule(rpropLoop, factors{
		beta1: float32(x.h.EtaMinus), beta2: float32(x.h.EtaPlus),
		low: float32(x.h.StepMin), high: float32(x.h.StepMax),
	})
}

func rpropLoop(b *block, k *factors) {
	w, u, prev, step, keep := b.w, b.gradient(), b.slot(0), b.slot(1), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		turn := float32(g * prev[i])
		factor := pick(turn > 0, k.beta2, pick(turn < 0, k.beta1, 1))
		g = pick(turn < 0, 0, g)
		long := max(k.low, min(k.high, step[i]*factor))
		x -= float32(sign(g) * long)
		w[i], prev[i], step[i] = only(x, live), only(g, live), only(long, live)
	}
}
