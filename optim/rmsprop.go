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
	k := factors{
		lr:    float32(x.h.LR),
		mu:    float32(x.h.Momentum),
		beta2: float32(x.h.Alpha), rest2: float32(1 - x.h.Alpha),
		eps: float32(x.h.Eps),
	}
	if x.h.Centered == 1 {
		c.each(centeredLoop, k)
	} else {
		c.each(rmspropLoop, k)
	}
	if k.slot = len(x.slots) - 1; x.kinds[k.slot].name == "momentum" {
		c.each(gatherLoop, k)
	}
	c.add(descend(x.h.LR))
}

func rmspropLoop(b *block, k *factors) {
	u, v := b.u, b.slot(0)
	for i, g := range u {
		v[i] = float32(k.beta2*v[i]) + float32(float32(k.rest2*g)*g)
		u[i] = g / (sqrt(v[i]) + k.eps)
	}
}

func centeredLoop(b *block, k *factors) {
	u, v, a := b.u, b.slot(0), b.slot(1)
	for i, g := range u {
		v[i] = float32(k.beta2*v[i]) + float32(float32(k.rest2*g)*g)
		a[i] = float32(k.beta2*a[i]) + float32(k.rest2*g)
		u[i] = g / (sqrt(v[i]-float32(a[i]*a[i])) + k.eps)
	}
}

// gatherLoop is momentum without dampening.
func gatherLoop(b *block, k *factors) {
	u, m := b.u, b.slot(k.slot)
	for i, v := range u {
		m[i] = float32(k.mu*m[i]) + v
		u[i] = m[i]
	}
}
