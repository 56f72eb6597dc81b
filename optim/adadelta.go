package optim

// Adadelta makes each step as large as those before it were, in units of the
// gradient: it divides the mean square of the steps by that of the gradients.
//
//	v ← ρv + (1−ρ)g²
//	d = √(a + ε)/√(v + ε) · g
//	a ← ρa + (1−ρ)d²
//	w ← w − ηd
//
// Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012,
// https://arxiv.org/abs/1212.5701, where η is 1.

func adadeltaSlots(*Param, Hyper) []slot { return []slot{{name: "square_avg"}, {name: "acc_delta"}} }

func adadelta(c *chain, x *tensor) {
	c.rule(adadeltaLoop, factors{
		lr:    float32(x.h.LR),
		beta2: float32(x.h.Rho), rest2: float32(1 - x.h.Rho),
		eps: float32(x.h.Eps),
	})
}

func adadeltaLoop(b *block, k *factors) {
	w, u, v, a, keep := b.w, b.gradient(), b.slot(0), b.slot(1), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		vi := float32(k.beta2*v[i]) + float32(float32(k.rest2*g)*g)
		d := float32(sqrt(a[i]+k.eps) / sqrt(vi+k.eps) * g)
		ai := float32(k.beta2*a[i]) + float32(float32(k.rest2*d)*d)
		x -= float32(k.lr * d)
		w[i], v[i], a[i] = only(x, live), only(vi, live), only(ai, live)
	}
}
