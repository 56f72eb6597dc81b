package optim

// RMSprop divides the gradient by the root of a running mean of its square; if
// centered, by its standard deviation. What comes out may gather momentum:
//
//	v ← αv + (1−α)g²         centered: a ← αa + (1−α)g, v − a² in place of v
//	u = g/(√v + ε)           momentum: b ← μb + u, u = b
//	w ← w − ηu
//
// Tieleman and Hinton, "Lecture 6.5: rmsprop", Coursera, 2012; the centered form
// is that of Graves, "Generating Sequences With Recurrent Neural Networks", 2013,
// https://arxiv.org/abs/1308.0850.

func rmspropSlots(_ *Param, h Hyper) []slot {
	list := []slot{{name: "square_avg"}}
	if h.Centered == 1 {
		list = append(list, slot{name: "grad_avg"})
	}
	if h.Momentum != 0 {
		list = append(list, slot{name: "momentum"})
	}
	return list
}

func rmsprop(c *chain, x *tensor) {
	h := x.h
	if len(x.slots) == 1 {
		c.add(gatherSquares(h.Alpha, 1-h.Alpha), divide(h.Eps), descend(h.LR))
		return
	}
	c.rule(rmspropLoop, factors{
		lr:    float32(h.LR),
		mu:    float32(h.Momentum),
		beta2: float32(h.Alpha), rest2: float32(1 - h.Alpha),
		eps: float32(h.Eps),
	})
}

// rmspropLoop is for what is centered, gathers momentum, or both.
func rmspropLoop(b *block, k *factors) {
	w, u, v, keep := b.w, b.gradient(), b.slot(0), b.mask()
	a, m := v, v
	last := len(b.x.kinds) - 1
	centered, gathers := b.x.kinds[1].name == "grad_avg", b.x.kinds[last].name == "momentum"
	if centered {
		a = b.slot(1)
	}
	if gathers {
		m = b.slot(last)
	}
	for i := range w {
		x, g := k.enter(w[i], u[i])
		live := all(keep[i])
		vi := float32(k.beta2*v[i]) + float32(float32(k.rest2*g)*g)
		square := vi
		if centered {
			ai := float32(k.beta2*a[i]) + float32(k.rest2*g)
			square -= float32(ai * ai)
			a[i] = only(ai, live)
		}
		step := g / (sqrt(square) + k.eps)
		if gathers {
			step += float32(k.mu * m[i])
			m[i] = only(step, live)
		}
		x -= float32(k.lr * step)
		w[i], v[i] = only(x, live), only(vi, live)
	}
}
