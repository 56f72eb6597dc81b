package optim

import (
	"math"

	"finetune/internal/kernel"
)

// fusedLoop does what a step does to a run of elements, in one loop written by
// hand for one rule with L1, L2 and a mask. It is what a chain is held to: the
// same bits, in about the same time. a, b and c are the slots.
type fusedLoop func(w, g, a, b, c []float32, keep []bool)

// fusedStep does what o.Step(1) does.
func fusedStep(o *Optimizer) {
	o.state.Step++
	x := o.tensors[0]
	x.begin(o.state.Step, 0, 1)
	loop := fused[o.rule.Name](x)
	kernel.Parallel(len(o.tasks), func(i int) {
		lo, hi := o.tasks[i].lo, o.tasks[i].hi
		slots := [3][]float32{x.Grad[lo:hi], x.Grad[lo:hi], x.Grad[lo:hi]} // what is not there is not read
		for i := range x.slots {
			if x.elementwise(i) {
				slots[i] = x.slots[i][lo:hi]
			}
		}
		loop(x.Value[lo:hi], x.Grad[lo:hi], slots[0], slots[1], slots[2], x.Mask[lo:hi])
	})
}

// penalty has λ of L2 and the bits of that of L1.
type penalty struct {
	l2 float32
	l1 uint32
}

func (x *tensor) penalty() penalty {
	return penalty{float32(x.h.L2), math.Float32bits(float32(x.h.L1))}
}

// add puts the penalties on x into its gradient.
func (p penalty) add(g, x float32) float32 {
	bits := math.Float32bits(x)
	sign := p.l1 | bits&signBit
	if bits&^signBit == 0 {
		sign = 0
	}
	return g + float32(p.l2*x) + math.Float32frombits(sign)
}

func fusedAdam(x *tensor, lr, eps float64) fusedLoop {
	p, keep := x.penalty(), float32(1-x.h.LR*x.h.WeightDecay)
	beta1, rest1 := float32(x.h.Beta1), float32(1-x.h.Beta1)
	beta2, rest2 := float32(x.h.Beta2), float32(1-x.h.Beta2)
	rate, e := float32(lr), float32(eps)
	return func(w, g, m, v, _ []float32, kept []bool) {
		g, m, v, kept = g[:len(w)], m[:len(w)], v[:len(w)], kept[:len(w)]
		for i, x := range w {
			u, live := p.add(g[i], x), all(kept[i])
			mi := float32(beta1*m[i]) + float32(rest1*u)
			vi := float32(beta2*v[i]) + float32(float32(rest2*u)*u)
			x = float32(keep*x) - float32(rate*(mi/(sqrt(vi)+e)))
			w[i], m[i], v[i] = only(x, live), only(mi, live), only(vi, live)
		}
	}
}

// fused has a loop for every rule that is one stage.
var fused = map[string]func(*tensor) fusedLoop{
	"sgd": func(x *tensor) fusedLoop {
		p, lr, mu, rest := x.penalty(), float32(x.h.LR), float32(x.h.Momentum), float32(1)
		if x.step == 1 {
			mu = 0
		}
		return func(w, g, m, _, _ []float32, kept []bool) {
			g, m, kept = g[:len(w)], m[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				mi := float32(mu*m[i]) + float32(rest*u)
				w[i], m[i] = only(x-float32(lr*mi), live), only(mi, live)
			}
		}
	},
	"adam": func(x *tensor) fusedLoop {
		correction, root := x.corrections()
		return fusedAdam(x, x.h.LR*root/correction, x.h.Eps*root)
	},
	"adamw": func(x *tensor) fusedLoop {
		correction, root := x.corrections()
		return fusedAdam(x, x.h.LR*root/correction, x.h.Eps*root)
	},
	"radam": func(x *tensor) fusedLoop {
		correction, root := x.corrections()
		if r, ok := x.rectified(); ok {
			return fusedAdam(x, x.h.LR*r*root/correction, x.h.Eps)
		}
		p, lr := x.penalty(), float32(x.h.LR/correction)
		beta1, rest1 := float32(x.h.Beta1), float32(1-x.h.Beta1)
		beta2, rest2 := float32(x.h.Beta2), float32(1-x.h.Beta2)
		return func(w, g, m, v, _ []float32, kept []bool) {
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				mi := float32(beta1*m[i]) + float32(rest1*u)
				vi := float32(beta2*v[i]) + float32(float32(rest2*u)*u)
				w[i], m[i], v[i] = only(x-float32(lr*mi), live), only(mi, live), only(vi, live)
			}
		}
	},
	"amsgrad": func(x *tensor) fusedLoop {
		p := x.penalty()
		correction, root := x.corrections()
		beta1, rest1 := float32(x.h.Beta1), float32(1-x.h.Beta1)
		beta2, rest2 := float32(x.h.Beta2), float32(1-x.h.Beta2)
		lr, eps := float32(x.h.LR*root/correction), float32(x.h.Eps*root)
		return func(w, g, m, v, most []float32, kept []bool) {
			g, m, v, most, kept = g[:len(w)], m[:len(w)], v[:len(w)], most[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				mi := float32(beta1*m[i]) + float32(rest1*u)
				vi := float32(beta2*v[i]) + float32(float32(rest2*u)*u)
				top := max(most[i], vi)
				x -= float32(lr * (mi / (sqrt(top) + eps)))
				w[i], m[i], v[i], most[i] = only(x, live), only(mi, live), only(vi, live), only(top, live)
			}
		}
	},
	"nadam": func(x *tensor) fusedLoop {
		p, h := x.penalty(), x.h
		mu := func(t int) float64 { return h.Beta1 * (1 - 0.5*math.Pow(0.96, float64(t)*h.MomentumDecay)) }
		now, next := mu(x.step), mu(x.step+1)
		x.slots[2][0] *= float32(now)
		product := float64(x.slots[2][0])
		_, root := x.corrections()
		ofMean, ofGrad := float32(h.LR*root*next/(1-product*next)), float32(h.LR*root*(1-now)/(1-product))
		beta1, rest1 := float32(h.Beta1), float32(1-h.Beta1)
		beta2, rest2 := float32(h.Beta2), float32(1-h.Beta2)
		eps := float32(h.Eps * root)
		return func(w, g, m, v, _ []float32, kept []bool) {
			g, m, v, kept = g[:len(w)], m[:len(w)], v[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				mi := float32(beta1*m[i]) + float32(rest1*u)
				vi := float32(beta2*v[i]) + float32(float32(rest2*u)*u)
				x -= (float32(ofMean*mi) + float32(ofGrad*u)) / (sqrt(vi) + eps)
				w[i], m[i], v[i] = only(x, live), only(mi, live), only(vi, live)
			}
		}
	},
	"adamax": func(x *tensor) fusedLoop {
		p := x.penalty()
		beta1, rest1, beta2 := float32(x.h.Beta1), float32(1-x.h.Beta1), float32(x.h.Beta2)
		lr, eps := float32(x.h.LR/(1-math.Pow(x.h.Beta1, float64(x.step)))), float32(x.h.Eps)
		return func(w, g, m, largest, _ []float32, kept []bool) {
			g, m, largest, kept = g[:len(w)], m[:len(w)], largest[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				mi := float32(beta1*m[i]) + float32(rest1*u)
				top := max(beta2*largest[i], size(u)+eps)
				x -= float32(lr * (mi / top))
				w[i], m[i], largest[i] = only(x, live), only(mi, live), only(top, live)
			}
		}
	},
	"adabelief": func(x *tensor) fusedLoop {
		p := x.penalty()
		correction, root := x.corrections()
		beta1, rest1 := float32(x.h.Beta1), float32(1-x.h.Beta1)
		beta2, rest2 := float32(x.h.Beta2), float32(1-x.h.Beta2)
		lr, eps, low := float32(x.h.LR*root/correction), float32(x.h.Eps), float32(x.h.Eps*root)
		return func(w, g, m, s, _ []float32, kept []bool) {
			g, m, s, kept = g[:len(w)], m[:len(w)], s[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				mi := float32(beta1*m[i]) + float32(rest1*u)
				d := u - mi
				si := float32(beta2*s[i]) + float32(float32(rest2*d)*d) + eps
				x -= float32(lr * (mi / (sqrt(si) + low)))
				w[i], m[i], s[i] = only(x, live), only(mi, live), only(si, live)
			}
		}
	},
	"adagrad": func(x *tensor) fusedLoop {
		p, r := x.penalty(), adagradRates(x)
		lr, eps := float32(r.lr), float32(r.eps)
		return func(w, g, s, _, _ []float32, kept []bool) {
			g, s, kept = g[:len(w)], s[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				si := s[i] + float32(u*u)
				x -= float32(lr * (u / (sqrt(si) + eps)))
				w[i], s[i] = only(x, live), only(si, live)
			}
		}
	},
	"adadelta": func(x *tensor) fusedLoop {
		p, lr, eps := x.penalty(), float32(x.h.LR), float32(x.h.Eps)
		rho, rest := float32(x.h.Rho), float32(1-x.h.Rho)
		return func(w, g, v, a, _ []float32, kept []bool) {
			g, v, a, kept = g[:len(w)], v[:len(w)], a[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				vi := float32(rho*v[i]) + float32(float32(rest*u)*u)
				d := float32(sqrt(a[i]+eps) / sqrt(vi+eps) * u)
				ai := float32(rho*a[i]) + float32(float32(rest*d)*d)
				w[i], v[i], a[i] = only(x-float32(lr*d), live), only(vi, live), only(ai, live)
			}
		}
	},
	"rmsprop": func(x *tensor) fusedLoop {
		p, lr, eps := x.penalty(), float32(x.h.LR), float32(x.h.Eps)
		alpha, rest := float32(x.h.Alpha), float32(1-x.h.Alpha)
		return func(w, g, v, _, _ []float32, kept []bool) {
			g, v, kept = g[:len(w)], v[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				vi := float32(alpha*v[i]) + float32(float32(rest*u)*u)
				x -= float32(lr * (u / (sqrt(vi) + eps)))
				w[i], v[i] = only(x, live), only(vi, live)
			}
		}
	},
	"rprop": func(x *tensor) fusedLoop {
		p, minus, plus := x.penalty(), float32(x.h.EtaMinus), float32(x.h.EtaPlus)
		low, high := float32(x.h.StepMin), float32(x.h.StepMax)
		return func(w, g, prev, step, _ []float32, kept []bool) {
			g, prev, step, kept = g[:len(w)], prev[:len(w)], step[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				turn := float32(u * prev[i])
				factor := pick(turn > 0, plus, pick(turn < 0, minus, 1))
				u = pick(turn < 0, 0, u)
				long := max(low, min(high, step[i]*factor))
				x -= float32(sign(u) * long)
				w[i], prev[i], step[i] = only(x, live), only(u, live), only(long, live)
			}
		}
	},
	"asgd": func(x *tensor) fusedLoop {
		p, h, before := x.penalty(), x.h, float64(x.step-1)
		eta := h.LR / math.Pow(1+float64(h.Lambda*h.LR*before), h.Power)
		lr, decay, mu := float32(eta), float32(1-float64(h.Lambda*eta)), float32(1/max(1, before-h.T0))
		return func(w, g, mean, _, _ []float32, kept []bool) {
			g, mean, kept = g[:len(w)], mean[:len(w)], kept[:len(w)]
			if mu == 1 {
				for i, x := range w {
					w[i] = only(float32(decay*x)-float32(lr*p.add(g[i], x)), all(kept[i]))
					mean[i] = w[i]
				}
				return
			}
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				x = float32(decay*x) - float32(lr*u)
				w[i], mean[i] = only(x, live), only(mean[i]+float32(mu*(x-mean[i])), live)
			}
		}
	},
	"lion": func(x *tensor) fusedLoop {
		p, lr := x.penalty(), float32(x.h.LR)
		beta1, rest1 := float32(x.h.Beta1), float32(1-x.h.Beta1)
		beta2, rest2 := float32(x.h.Beta2), float32(1-x.h.Beta2)
		return func(w, g, m, _, _ []float32, kept []bool) {
			g, m, kept = g[:len(w)], m[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				x -= float32(lr * sign(float32(beta1*m[i])+float32(rest1*u)))
				mi := float32(beta2*m[i]) + float32(rest2*u)
				w[i], m[i] = only(x, live), only(mi, live)
			}
		}
	},
	"sophia": func(x *tensor) fusedLoop {
		p, lr, decay := x.penalty(), float32(x.h.LR), float32(1-x.h.LR*x.h.WeightDecay)
		beta1, rest1 := float32(x.h.Beta1), float32(1-x.h.Beta1)
		rho, eps := float32(x.h.Rho), float32(x.h.Eps)
		return func(w, g, m, h, _ []float32, kept []bool) {
			g, m, h, kept = g[:len(w)], m[:len(w)], h[:len(w)], kept[:len(w)]
			for i, x := range w {
				u, live := p.add(g[i], x), all(kept[i])
				mi := float32(beta1*m[i]) + float32(rest1*u)
				x = float32(decay*x) - float32(lr*max(-1, min(1, mi/max(float32(rho*h[i]), eps))))
				w[i], m[i], h[i] = only(x, live), only(mi, live), only(h[i], live)
			}
		}
	},
}
