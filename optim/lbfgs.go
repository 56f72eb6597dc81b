package optim

import (
	"errors"
	"fmt"
	"math"

	"finetune/internal/kernel"
)

// LBFGS minimises a function of few parameters whose loss and gradient are exact:
// all examples at once, no Dropout. It follows −H·g, where H is an estimate of the
// inverse of the second derivative from the last steps s and the changes y of the
// gradient in them:
//
//	q = g; newest to oldest: a_i = s_i·q/(y_i·s_i), q ← q − a_i·y_i
//	r = q·(y·s)/(y·y) of the newest
//	oldest to newest: r ← r + s_i·(a_i − y_i·r/(y_i·s_i))
//	d = −r
//
// Liu and Nocedal, "On the limited memory BFGS method for large scale
// optimization", Mathematical Programming 45, 1989. It takes the steps that PyTorch's
// takes, and with a line search those of its strong_wolfe.
//
// Beside it are how H follows from the steps, lbfgsdirection.go, and how far to go,
// linesearch.go.
type LBFGS struct {
	cfg    LBFGSConfig
	params []*Param
	l2     map[*Param]float64
	state  LBFGSState
}

// LBFGSConfig has PyTorch's defaults where a field is zero.
type LBFGSConfig struct {
	LR          float64 // length of a step beside H's; default 1
	Iterations  int     // of a Step, at most; default 20
	Evaluations int     // of a Step, at most, but for those of a line search under way; default 5/4 of Iterations
	History     int     // steps that make H; default 100
	// A Step ends where no gradient is larger than GradTolerance, default 1e-7, or
	// where neither weights nor loss change by more than ChangeTolerance, default
	// 1e-9.
	GradTolerance, ChangeTolerance float64
	// LineSearch looks for a length that fulfils the strong Wolfe conditions; it
	// tries LR first.
	LineSearch bool
	// L2 is the λ of λ/2·w² for all weights of Param.Decayed, which joins loss and
	// gradient.
	L2 float64
}

// LBFGSState is what an LBFGS remembers. Vectors hold all trained parameters one
// behind the other.
type LBFGSState struct {
	Iterations int
	Length     float64     // of the last step
	Loss       float64     // at the last point but one
	Direction  []float32   // of the last step
	Grad       []float32   // at the last point but one
	Changes    [][]float32 // y, oldest first
	Steps      [][]float32 // s, oldest first
}

// NewLBFGS prepares to minimise over those of params that are Trainable. Pruned
// weights stay zero.
func NewLBFGS(params []*Param, cfg LBFGSConfig) (*LBFGS, error) {
	for _, f := range []struct {
		name  string
		value *float64
		usual float64
	}{
		{"lr", &cfg.LR, 1}, {"gradient tolerance", &cfg.GradTolerance, 1e-7}, {"change tolerance", &cfg.ChangeTolerance, 1e-9}, {"l2", &cfg.L2, 0},
	} {
		if !nonNegative.contains(*f.value) {
			return nil, outside(f.name, "", *f.value, nonNegative)
		}
		if *f.value == 0 {
			*f.value = f.usual
		}
	}
	for _, f := range []struct {
		name  string
		value *int
		usual func() int
	}{
		{"iterations", &cfg.Iterations, func() int { return 20 }},
		{"evaluations", &cfg.Evaluations, func() int { return cfg.Iterations * 5 / 4 }},
		{"history", &cfg.History, func() int { return 100 }},
	} {
		if *f.value < 0 {
			return nil, fmt.Errorf("%s: %d is not in [0, inf)", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.usual()
		}
	}
	o := &LBFGS{cfg: cfg, l2: map[*Param]float64{}}
	for _, p := range params {
		if err := p.check(); err != nil {
			return nil, err
		}
		if p.Trainable {
			o.params = append(o.params, p)
			if p.Decayed() {
				o.l2[p] = cfg.L2
			}
		}
	}
	if len(o.params) == 0 {
		return nil, errors.New("nothing to train: no parameter is trainable")
	}
	return o, nil
}

// Step makes some iterations and returns the loss it began with. closure computes
// the loss of the weights as they are, and its gradient into Param.Grad; an error
// of it ends the step.
func (o *LBFGS) Step(closure func() (float64, error)) (float64, error) {
	s := &o.state
	var first float64
	loss, g, err := o.evaluate(func() (float64, error) {
		var err error
		first, err = closure()
		return first, err
	})
	if err != nil {
		return 0, err
	}
	evaluations := 1
	for i := 1; i <= o.cfg.Iterations && largest(g) > o.cfg.GradTolerance && evaluations < max(2, o.cfg.Evaluations); i++ {
		s.Iterations++
		length := o.cfg.LR
		if s.Iterations == 1 {
			s.Direction = scaled(g, -1)
			length *= min(1, 1/kernel.SumSizes(g))
		} else {
			o.remember(g)
			s.Direction = o.direction(g)
			o.drop(s.Direction)
		}
		s.Grad, s.Loss = g, loss
		slope := dot(g, s.Direction)
		if slope > -o.cfg.ChangeTolerance {
			break
		}
		if o.cfg.LineSearch {
			var found trial
			var n int
			found, n, err = o.search(closure, length, trial{0, loss, slope, g})
			length, loss, g = found.t, found.loss, found.grad
			evaluations += n
		} else {
			o.move(length)
			if i < o.cfg.Iterations {
				loss, g, err = o.evaluate(closure)
				evaluations++
			}
		}
		s.Length = length
		if err != nil {
			return first, err
		}
		if largest(s.Direction)*length <= o.cfg.ChangeTolerance || math.Abs(loss-s.Loss) < o.cfg.ChangeTolerance && i < o.cfg.Iterations {
			break
		}
	}
	return first, nil
}

// evaluate returns the loss and a copy of all gradients.
func (o *LBFGS) evaluate(closure func() (float64, error)) (float64, []float32, error) {
	loss, err := closure()
	if err != nil {
		return 0, nil, err
	}
	var all []float32
	for _, p := range o.params {
		lo := len(all)
		all = append(all, p.Grad...)
		g := all[lo:]
		if l2 := o.l2[p]; l2 > 0 {
			loss += l2 / 2 * kernel.SumSquares(p.Value)
			for i, w := range p.Value {
				g[i] += float32(float32(l2) * w)
			}
		}
	}
	o.drop(all)
	return loss, all, nil
}

// drop sets what belongs to pruned weights to zero.
func (o *LBFGS) drop(all []float32) {
	for _, p := range o.params {
		for i := range p.Value {
			if !p.kept(i) {
				all[i] = 0
			}
		}
		all = all[len(p.Value):]
	}
}

// move adds so much of the direction to the weights.
func (o *LBFGS) move(length float64) {
	d := o.state.Direction
	for _, p := range o.params {
		for i := range p.Value {
			if p.kept(i) {
				p.Value[i] += float32(float32(length) * d[i])
			}
		}
		d = d[len(p.Value):]
	}
}

// search moves the weights along the direction as far as a line search finds best,
// trying length first, and returns how far that is.
func (o *LBFGS) search(closure func() (float64, error), length float64, start trial) (trial, int, error) {
	from := o.weights()
	d := o.state.Direction
	s := lineSearch{start: start, extent: largest(d), least: o.cfg.ChangeTolerance}
	s.try = func(t float64) (trial, error) {
		o.restore(from)
		o.move(t)
		loss, g, err := o.evaluate(closure)
		return trial{t, loss, dot(g, d), g}, err
	}
	found, err := s.find(length)
	o.restore(from)
	o.move(found.t)
	return found, s.trials, err
}

// weights copies those of all parameters.
func (o *LBFGS) weights() [][]float32 {
	var list [][]float32
	for _, p := range o.params {
		list = append(list, append([]float32(nil), p.Value...))
	}
	return list
}

func (o *LBFGS) restore(list [][]float32) {
	for i, p := range o.params {
		copy(p.Value, list[i])
	}
}

// State returns the state. Its slices are the optimizer's own.
func (o *LBFGS) State() LBFGSState { return o.state }

// Load makes s the state. It reports vectors that do not fit the parameters.
func (o *LBFGS) Load(s LBFGSState) error {
	n := 0
	for _, p := range o.params {
		n += len(p.Value)
	}
	if s.Iterations < 0 || len(s.Changes) != len(s.Steps) {
		return fmt.Errorf("l-bfgs state: %d iterations, %d changes and %d steps do not fit together", s.Iterations, len(s.Changes), len(s.Steps))
	}
	vectors := append(append([][]float32{}, s.Changes...), s.Steps...)
	if s.Iterations > 0 {
		vectors = append(vectors, s.Direction, s.Grad)
	}
	for _, v := range vectors {
		if len(v) != n {
			return fmt.Errorf("l-bfgs state: a vector of %d for %d weights", len(v), n)
		}
	}
	o.state = s
	return nil
}
