package optim

import "math"

// RAdam starts as gradient descent with momentum and turns to Adam as soon as the
// mean square rests on enough steps, with a rate that makes up for its variance:
//
//	ρ∞ = 2/(1−β₂) − 1        ρ = ρ∞ − 2tβ₂ᵗ/(1−β₂ᵗ)
//	ρ > 5:  w ← w − η·r·m̂·√(1−β₂ᵗ)/(√v + ε),  r = √( (ρ−4)(ρ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ) )
//	else:   w ← w − η·m̂
//
// Liu, Jiang, He, Chen, Liu, Gao and Han, "On the Variance of the Adaptive
// Learning Rate and Beyond", ICLR 2020, https://arxiv.org/abs/1908.03265.

func radam(c *chain, x *tensor) {
	h := x.h
	correction, root := x.corrections()
	c.add(meanGradient(h.Beta1), meanSquare(h.Beta2))
	if r, ok := x.rectified(); ok {
		c.add(adaptive(h.Eps), descend(h.LR*r*root/correction))
	} else {
		c.add(followMomentum(), descend(h.LR/correction))
	}
}

// rectified is r, and whether there are steps enough for it.
func (x *tensor) rectified() (r float64, ok bool) {
	beta2, t := x.h.Beta2, float64(x.step)
	all := 2/(1-beta2) - 1
	power := math.Pow(beta2, t)
	rho := all - 2*t*power/(1-power)
	return math.Sqrt((rho - 4) * (rho - 2) * all / ((all - 4) * (all - 2) * rho)), rho > 5
}

func radamRates(x *tensor) rates {
	_, root := x.corrections()
	r, ok := x.rectified()
	if !ok {
		return rates{slot: -1, lr: x.h.LR}
	}
	return rates{slot: 1, lr: x.h.LR * r * root, eps: x.h.Eps}
}
