package optim

// Sophia-G divides a mean gradient by an estimate of the curvature, and lets no
// coordinate take a longer step than η:
//
//	m ← β₁m + (1−β₁)g
//	w ← w − η·clip(m / max(ρh, ε), ±1)
//
// Every few steps [Optimizer.Curvature] brings the curvature h up to date. Liu,
// Li, Hall, Liang and Ma, "Sophia: A Scalable Stochastic Second-order Optimizer
// for Language Model Pre-training", ICLR 2024, https://arxiv.org/abs/2305.14342.

func sophiaSlots(*Param, Hyper) []slot { return []slot{{name: "exp_avg"}, {name: "hessian"}} }

func sophia(c *chain, x *tensor) {
	c.rule(sophiaLoop, factors{
		lr:    float32(x.h.LR),
		beta1: float32(x.h.Beta1), rest1: float32(1 - x.h.Beta1),
		beta2: float32(x.h.Rho),
		eps:   float32(x.h.Eps),
	})
}

func sophiaLoop(b *block, k *factors) {
	w, u, m, h, keep := b.w, b.gradient(), b.slot(0), b.slot(1), b.mask()
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		mi := float32(k.beta1*m[i]) + float32(k.rest1*g)
		x -= float32(k.lr * max(-1, min(1, mi/larger(float32(k.beta2*h[i]), k.eps))))
		w[i], m[i], h[i] = only(x, live), only(mi, live), only(h[i], live)
	}
}

// CurvatureEvery is after how many steps the curvature is to be estimated anew.
const CurvatureEvery = 10

// NeedsCurvature reports whether the rule wants Curvature before the next step.
func (o *Optimizer) NeedsCurvature() bool {
	return o.rule.Curvature && o.state.Step%CurvatureEvery == 0
}

// Curvature takes the gradients that Param.Grad holds as those of the mean loss
// over a batch of so many examples whose targets were drawn from what the model
// predicts (the Gauss-Newton-Bartlett estimator): h ← β₂h + (1−β₂)·batch·g². It
// panics if the rule keeps no curvature.
func (o *Optimizer) Curvature(batch int) {
	if !o.rule.Curvature {
		panic("optim: Curvature: rule " + o.rule.Name + " keeps none")
	}
	for _, x := range o.tensors {
		beta := float32(x.plan.Hyper.Beta2)
		rest := float32(1-x.plan.Hyper.Beta2) * float32(batch)
		h := x.slots[1]
		for i, g := range x.Grad {
			h[i] = float32(beta*h[i]) + float32(float32(rest*g)*g)
		}
	}
}
