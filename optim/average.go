package optim

import (
	"fmt"

	"finetune/internal/kernel"
)

// Average is a mean of the weights over the steps of a run. It often does better
// than the weights of the last step, for it lies in the middle of where they
// wander.
//
//	EMA   a ← βa + (1−β)w     β = min(Decay, (1+n)/(10+n)) after n steps
//	SWA   a ← a + (w − a)/n   the n-th time, every so many steps
//
// Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging",
// 1992, with TensorFlow's slow start; Izmailov, Podoprikhin, Garipov, Vetrov and
// Wilson, "Averaging Weights Leads to Wider Optima and Better Generalization", UAI
// 2018, https://arxiv.org/abs/1803.05407.
//
// Pruned weights are zero in the mean too. The running statistics of batch
// normalisation are no weights, and those of the weights do not fit their mean:
// where they are learned, package train computes them anew.
type Average struct {
	cfg    Averaging
	params []*Param
	state  AverageState
}

// Averaging says which mean. The zero value is none.
type Averaging struct {
	Kind  AverageKind
	Decay float64 // of EMA, [0, 1)
	From  int     // first step that counts, from 0
	Every int     // of SWA: each so many steps the last of them counts; 0 is 1
}

// AverageKind names a mean.
type AverageKind string

// The kinds of mean.
const (
	NoAverage AverageKind = ""
	EMA       AverageKind = "ema" // exponential: the last 1/(1−Decay) steps or so
	SWA       AverageKind = "swa" // equal shares
)

// AverageState is what a mean remembers.
type AverageState struct {
	Count  int                  // how many weights it is of
	Values map[string][]float32 // by the name of the parameter
}

// Check reports a field outside its range.
func (a Averaging) Check() error {
	switch a.Kind {
	case NoAverage, EMA, SWA:
	default:
		return fmt.Errorf("average: %q is not one of ema, swa", a.Kind)
	}
	if a.Kind == EMA && !belowOne.contains(a.Decay) {
		return outside("average decay", "", a.Decay, belowOne)
	}
	if a.From < 0 {
		return fmt.Errorf("average from: step %d is not in [0, inf)", a.From)
	}
	if a.Every < 0 {
		return fmt.Errorf("average every: %d steps is not in [0, inf)", a.Every)
	}
	return nil
}

// Count is how many weights the mean is of after so many steps.
func (a Averaging) Count(steps int) int {
	n := 0
	for step := range steps {
		if a.counts(step) {
			n++
		}
	}
	return n
}

// counts reports whether the weights after a step are in the mean.
func (a Averaging) counts(step int) bool {
	return a.Kind != NoAverage && step >= a.From && (a.Kind != SWA || (step+1)%max(1, a.Every) == 0)
}

// NewAverage prepares a mean of those of params that are Trainable.
func NewAverage(params []*Param, cfg Averaging) (*Average, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	a := &Average{cfg: cfg, state: AverageState{Values: map[string][]float32{}}}
	for _, p := range params {
		if p.Trainable && cfg.Kind != NoAverage {
			a.params = append(a.params, p)
			a.state.Values[p.Name] = make([]float32, len(p.Value))
		}
	}
	return a, nil
}

// Step takes the weights after a step, from 0, into account, if it counts.
func (a *Average) Step(step int) {
	if !a.cfg.counts(step) {
		return
	}
	n := float64(a.state.Count)
	share := 1 / (n + 1)
	if a.cfg.Kind == EMA && n > 0 {
		share = 1 - min(a.cfg.Decay, (1+n)/(10+n))
	}
	a.state.Count++
	for _, p := range a.params {
		mean := a.state.Values[p.Name]
		kernel.Parallel((len(mean)+taskLen-1)/taskLen, func(i int) {
			blend(mean, p, float32(share), i*taskLen, min((i+1)*taskLen, len(mean)))
		})
	}
}

// blend moves elements [lo, hi) of the mean of p by a share of the way to p.
func blend(mean []float32, p *Param, share float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		if !p.kept(i) {
			mean[i] = 0
		} else if w := p.Value[i]; share == 1 {
			mean[i] = w
		} else {
			mean[i] += float32(share * (w - mean[i]))
		}
	}
}

// Swap exchanges the weights and their mean, unless there is none yet: once to
// measure the mean or to keep it, and again to go on.
func (a *Average) Swap() {
	if a.state.Count == 0 {
		return
	}
	for _, p := range a.params {
		mean := a.state.Values[p.Name]
		for i, w := range p.Value {
			p.Value[i], mean[i] = mean[i], w
			if !p.kept(i) {
				p.Value[i] = 0
			}
		}
	}
}

// State returns the state. Its slices are the mean's own.
func (a *Average) State() AverageState { return a.state }

// Load copies s into a. It reports, and then changes nothing, parameters or
// lengths that are not those of a.
func (a *Average) Load(s AverageState) error {
	if s.Count < 0 {
		return fmt.Errorf("average state: count %d is negative", s.Count)
	}
	if err := sameKeys("average of parameter", s.Values, a.state.Values); err != nil {
		return err
	}
	for _, p := range a.params {
		if got := len(s.Values[p.Name]); got != len(p.Value) {
			return fmt.Errorf("average state: parameter %q has %d values, want %d", p.Name, got, len(p.Value))
		}
	}
	a.state.Count = s.Count
	for name, v := range s.Values {
		copy(a.state.Values[name], v)
	}
	return nil
}
