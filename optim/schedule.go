package optim

import (
	"fmt"
	"math"
)

// Schedule is a factor for the learning rate by the step about to be made,
// counted from 0, of total steps. It depends on nothing else, so a resumed run
// needs no state of it.
type Schedule func(step, total int) float64

// Flat is 1 at every step.
func Flat() Schedule {
	return func(int, int) float64 { return 1 }
}

// Linear falls in a straight line, 1 − step/total of the way from 1 to floor: 1
// at step 0, and one step short of floor at the last.
func Linear(floor float64) Schedule {
	return func(step, total int) float64 {
		return floor + (1-floor)*(1-progress(step, total))
	}
}

// Cosine falls along half a cosine, floor + (1 − floor)·(1 + cos(π·step/total))/2:
// 1 at step 0, and one step short of floor at the last.
//
// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
// ICLR 2017, without the restarts.
func Cosine(floor float64) Schedule {
	return func(step, total int) float64 {
		return floor + (1-floor)*(1+math.Cos(math.Pi*progress(step, total)))/2
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

// ParseSchedule returns the schedule of a name, constant, linear or cosine (both
// to 0), behind a warm-up of the given number of steps, 0 for none.
func ParseSchedule(name string, warmup int) (Schedule, error) {
	if warmup < 0 {
		return nil, fmt.Errorf("warm-up: %d steps is not in [0, inf)", warmup)
	}
	var s Schedule
	switch name {
	case "constant":
		s = Flat()
	case "linear":
		s = Linear(0)
	case "cosine":
		s = Cosine(0)
	default:
		return nil, fmt.Errorf("schedule: %q is not one of constant, linear, cosine", name)
	}
	if warmup > 0 {
		s = Warmup(warmup, s)
	}
	return s, nil
}
