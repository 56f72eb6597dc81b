package optim

// Penalties that pull the weights back to where training started, w₀, instead of
// to zero: what was learned before is kept where the new data do not contradict.
//
//	L2-SP   λ/2·(w − w₀)²      u ← u + λ(w − w₀)
//	L1-SP   λ|w − w₀|          u ← u + λ·sign(w − w₀), or if proximal
//	                           w ← w₀ + sign(w − w₀)·max(|w − w₀| − ηλ, 0)
//
// With proximal L1-SP, weights that are not needed for the new task stay exactly
// what they were. Li, Grandvalet and Davoine, "Explicit Inductive Bias for
// Transfer Learning with Convolutional Networks", ICML 2018,
// https://arxiv.org/abs/1802.01483.
//
// The weights w₀ are slot "start" of the state.

const startSlot = "start"

// remembersStart reports whether a penalty under h is about the start.
func (h Hyper) remembersStart() bool { return h.L1SP != 0 || h.L2SP != 0 }

func startLoop(b *block, k *factors) {
	u, start := b.u, b.x.start[b.lo:]
	for i, w := range b.w {
		d := w - start[i]
		u[i] += float32(k.low*d) + float32(k.high*sign(d))
	}
}

func startThreshold(b *block, k *factors) {
	start := b.x.start[b.lo:]
	for i, w := range b.w {
		b.w[i] = towards(w, start[i], k.lr)
	}
}
