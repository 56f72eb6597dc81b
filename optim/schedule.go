package optim

import "math"

// Schedule is a factor, of the learning rate or whatever else it is for, by the
// step about to be made, counted from 0, of total steps. It depends on nothing
// else, so a resumed run needs no state of it.
//
// Each is described by its value at step 0 and at the last step, total−1, for a
// long run. [Course] names them all.
type Schedule func(step, total int) float64

// Flat is 1 at every step.
func Flat() Schedule {
	return func(int, int) float64 { return 1 }
}

// Linear goes in a straight line, from + (to − from)·step/total: from at step 0,
// and one step short of to at the last.
func Linear(from, to float64) Schedule {
	return func(step, total int) float64 {
		return to + (from-to)*(1-progress(step, total))
	}
}

// Polynomial falls as floor + (1 − floor)·(1 − step/total)^power: 1 at step 0, and
// nearly floor at the last. Power 3 is the cubic of gradual pruning.
func Polynomial(power, floor float64) Schedule {
	return func(step, total int) float64 {
		return floor + (1-floor)*math.Pow(1-progress(step, total), power)
	}
}

// Steps multiplies by gamma after every so many steps, γ^⌊step/every⌋: 1 at step
// 0, γ^⌊(total−1)/every⌋ at the last.
func Steps(every int, gamma float64) Schedule {
	return func(step, _ int) float64 { return math.Pow(gamma, float64(step/max(1, every))) }
}

// MultiStep multiplies by gamma at each of the steps given: 1 at step 0, γ^n at the
// last, after n of them.
func MultiStep(gamma float64, at ...int) Schedule {
	return func(step, _ int) float64 {
		n := 0
		for _, s := range at {
			if step >= s {
				n++
			}
		}
		return math.Pow(gamma, float64(n))
	}
}

// Exponential falls by gamma in so many steps, evenly: γ^(step/every), 1 at step 0.
func Exponential(every int, gamma float64) Schedule {
	return func(step, _ int) float64 { return math.Pow(gamma, float64(step)/float64(max(1, every))) }
}

// Cosine falls along half a cosine, floor + (1 − floor)·(1 + cos(π·step/total))/2:
// 1 at step 0, and one step short of floor at the last.
//
// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
// ICLR 2017, without the restarts.
func Cosine(floor float64) Schedule { return Restarts(1, 1, floor) }

// Restarts falls along half a cosine as often as cycles says and starts again at 1
// in between; each cycle is stretch times as long as the one before: 1 at step 0,
// nearly floor at the last step of each cycle.
func Restarts(cycles int, stretch, floor float64) Schedule {
	all := 0.0 // the length of all cycles in that of the first
	for i := range cycles {
		all += math.Pow(stretch, float64(i))
	}
	return func(step, total int) float64 {
		at, length := progress(step, total)*all, 1.0
		for range cycles - 1 {
			if at < length {
				break
			}
			at -= length
			length *= stretch
		}
		return floor + (1-floor)*(1+math.Cos(math.Pi*min(1, at/length)))/2
	}
}

// OneCycle climbs along half a cosine from start to 1 over a share peak of the run,
// and falls along another to end: start at step 0, 1 at step peak·total − 1, end at
// the last step.
//
// Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
// Large Learning Rates", 2018, https://arxiv.org/abs/1708.07120, as in PyTorch.
func OneCycle(peak, start, end float64) Schedule {
	bend := func(from, to, x float64) float64 { return to + (from-to)*(1+math.Cos(math.Pi*x))/2 }
	return func(step, total int) float64 {
		at, top, last := float64(step), peak*float64(total)-1, float64(total-1)
		switch {
		case at >= last:
			return end
		case at < top:
			return bend(start, 1, at/top)
		}
		return bend(1, end, (at-top)/(last-top))
	}
}

// InverseRoot falls as √(scale/(scale + step)): 1 at step 0, √(scale/(scale +
// total)) at the last. Behind a warm-up of scale steps it is Noam's schedule.
//
// Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin,
// "Attention Is All You Need", NIPS 2017.
func InverseRoot(scale int) Schedule {
	return func(step, _ int) float64 { return math.Sqrt(float64(scale) / float64(scale+step)) }
}

// Stable stays at 1 and falls in a straight line over the last steps, so many of
// them: 1 at step 0, one step short of floor at the last.
//
// Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with
// Scalable Training Strategies", 2024, https://arxiv.org/abs/2404.06395.
func Stable(decay int, floor float64) Schedule {
	return func(step, total int) float64 {
		hold := max(0, total-decay)
		return Hold(hold, Linear(1, floor))(step, total)
	}
}

// Warmup climbs in a straight line for the given number of steps and then runs
// after over the rest: 0 at step 0, so that the first step only fills the
// moments; 1 − 1/steps at the last step of the climb; after's own value at its
// step 0 right behind it.
func Warmup(steps int, after Schedule) Schedule {
	return func(step, total int) float64 {
		if step < steps {
			return float64(step) / float64(steps)
		}
		return after(step-steps, total-steps)
	}
}

// Hold stays at 1 for the given number of steps and then runs after over the rest.
func Hold(steps int, after Schedule) Schedule {
	return func(step, total int) float64 {
		if step < steps {
			return 1
		}
		return after(step-steps, total-steps)
	}
}

// progress is step/total within [0, 1].
func progress(step, total int) float64 {
	if step >= total {
		return 1
	}
	return max(0, float64(step)/float64(total))
}
