package optim

import "math"

// A line search looks along a direction for a length t at which the loss f(t) has
// fallen enough and is flat enough, the strong Wolfe conditions
//
//	f(t) ≤ f(0) + c₁·t·f′(0)        |f′(t)| ≤ c₂·|f′(0)|
//
// First it goes on, by up to ten times as far, until such lengths lie between the
// last two; then it closes in on one. Where to try next is where a cubic through
// the values and slopes of two lengths has its minimum.
//
// Nocedal and Wright, "Numerical Optimization", 2006, algorithms 3.5 and 3.6, with
// equation 3.59 for the cubic; the bounds, and what is done about a cubic that
// keeps to one end, are those of Schmidt's minFunc, 2005, as PyTorch has them.
type lineSearch struct {
	// try computes the loss, its slope along the direction, and its gradient at a
	// length. An error ends the search.
	try    func(t float64) (trial, error)
	start  trial
	extent float64 // the largest element of the direction
	least  float64 // change of a weight below which it is not worth to go on
	trials int     // made so far
}

// trial is what is known of a length.
type trial struct {
	t, loss, slope float64
	grad           []float32
}

const (
	wolfeFall  = 1e-4 // c₁
	wolfeFlat  = 0.9  // c₂
	mostTrials = 25   // besides the first
)

// fallen and flat are the two conditions. Neither holds for NaN.
func (s *lineSearch) fallen(x trial) bool {
	return x.loss <= s.start.loss+wolfeFall*x.t*s.start.slope
}
func (s *lineSearch) flat(x trial) bool { return math.Abs(x.slope) <= -wolfeFlat*s.start.slope }

// find returns the best length, trying t first. It fulfils the conditions unless
// the search took too long.
func (s *lineSearch) find(t float64) (trial, error) {
	a, b, err := s.bracket(t)
	if err != nil || a.t == b.t {
		return b, err
	}
	return s.zoom(a, b)
}

// next is a trial that counts.
func (s *lineSearch) next(t float64) (trial, error) {
	s.trials++
	return s.try(t)
}

// bracket goes on from t until lengths that fulfil the conditions lie between a and
// b, or b is one and a the same.
func (s *lineSearch) bracket(t float64) (a, b trial, err error) {
	a = s.start
	for b, err = s.next(t); err == nil; b, err = s.next(t) {
		switch {
		case s.trials > mostTrials:
			return s.start, b, nil
		case !s.fallen(b) || s.trials > 2 && b.loss >= a.loss: // PyTorch forgives the second
			return a, b, nil
		case s.flat(b):
			return b, b, nil
		case b.slope >= 0:
			return a, b, nil
		}
		t = cubicMinimum(a, b, b.t+0.01*(b.t-a.t), 10*b.t)
		a = b
	}
	return a, b, err
}

// zoom closes in on a length between a and b, and returns the lowest.
func (s *lineSearch) zoom(a, b trial) (trial, error) {
	low, high := a, b
	if b.loss < a.loss {
		low, high = b, a
	}
	near := false // whether the last trial was near an end
	for s.trials <= mostTrials && math.Abs(high.t-low.t)*s.extent >= s.least {
		left, right := min(low.t, high.t), max(low.t, high.t)
		t := cubicMinimum(low, high, left, right)
		if edge := 0.1 * (right - left); min(right-t, t-left) >= edge {
			near = false
		} else if !near && left < t && t < right {
			near = true // once
		} else {
			near = false
			if right-t < t-left {
				t = right - edge
			} else {
				t = left + edge
			}
		}
		x, err := s.next(t)
		switch {
		case err != nil:
			return low, err
		case !s.fallen(x) || !(x.loss < low.loss):
			if high = x; high.loss < low.loss {
				low, high = high, low
			}
		case s.flat(x):
			return x, nil
		case x.slope*(high.t-low.t) >= 0:
			low, high = x, low
		default:
			low = x
		}
	}
	return low, nil
}

// cubicMinimum is where, between lo and hi, the cubic through two trials is the
// lowest; the middle if it has no minimum.
func cubicMinimum(a, b trial, lo, hi float64) float64 {
	if a.t > b.t {
		a, b = b, a
	}
	d := a.slope + b.slope - 3*(a.loss-b.loss)/(a.t-b.t)
	root := math.Sqrt(d*d - a.slope*b.slope)
	t := b.t - (b.t-a.t)*((b.slope+root-d)/(b.slope-a.slope+2*root))
	if math.IsNaN(t) {
		return (lo + hi) / 2
	}
	return min(max(t, lo), hi)
}
