package optim

import (
	"errors"
	"fmt"
	"math"

	"finetune/internal/kernel"
)

// Optimizer trains parameters by one rule.
type Optimizer struct {
	cfg    Config
	rule   *rule
	plans  []Plan
	groups []Group
	state  State
	tasks  []task
	chains [][]kernel.Link // of each group, in the step being made
	run    func(task int)
}

// task is a run of one parameter's elements, [lo, hi), at most taskLen long.
type task struct {
	group  int
	param  *Param
	lo, hi int
	update kernel.Update
}

// New prepares to train those of params that are Trainable. It reports what
// [Resolve] reports, two parameters of one name, and slices that do not fit
// their shapes.
func New(params []*Param, cfg Config) (*Optimizer, error) {
	plans, err := Resolve(params, cfg)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	for _, p := range params {
		if seen[p.Name] {
			return nil, fmt.Errorf("parameter %q occurs twice", p.Name)
		}
		seen[p.Name] = true
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	o := &Optimizer{cfg: cfg, plans: plans, groups: groups(plans)}
	if len(o.groups) == 0 {
		return nil, errors.New("nothing to train: no parameter is trainable")
	}
	o.rule, _ = ruleByName(cfg.Rule)
	o.chains = make([][]kernel.Link, len(o.groups))
	o.run = o.runTask
	o.state = State{Rule: cfg.Rule, Slots: make(map[string]map[string][]float32)}
	for i, g := range o.groups {
		for _, p := range g.Params {
			o.addTasks(i, p, o.state.add(o.rule.slots(g.Hyper), p))
		}
	}
	return o, nil
}

// addTasks cuts p into tasks.
func (o *Optimizer) addTasks(group int, p *Param, slots [maxSlots][]float32) {
	for lo := 0; lo < len(p.Value); lo += taskLen {
		t := task{group: group, param: p, lo: lo, hi: min(lo+taskLen, len(p.Value))}
		for i, part := range []*[]float32{&t.update.S, &t.update.T} {
			if slots[i] != nil {
				*part = slots[i][t.lo:t.hi]
			}
		}
		o.tasks = append(o.tasks, t)
	}
}

// Step changes every trainable parameter by its Grad, which it leaves alone. The
// learning rates are multiplied by scale, the value of a [Schedule]. It panics
// if a gradient is missing or scale is negative or not finite.
func (o *Optimizer) Step(scale float64) {
	if !(scale >= 0 && scale <= math.MaxFloat32) {
		panic(fmt.Sprintf("optim: Step: scale %g is not in [0, inf)", scale))
	}
	for _, t := range o.tasks {
		if len(t.param.Grad) != len(t.param.Value) {
			panic(fmt.Sprintf("optim: Step: parameter %q has a gradient of length %d, want %d", t.param.Name, len(t.param.Grad), len(t.param.Value)))
		}
	}
	o.state.Step++
	for i, g := range o.groups {
		o.chains[i] = o.chain(o.chains[i][:0], g.Hyper, scale*g.Hyper.LR, o.state.Step)
	}
	kernel.Parallel(len(o.tasks), o.run)
}

// runTask takes the elements of one task through the chain of its group.
func (o *Optimizer) runTask(i int) {
	t := &o.tasks[i]
	u := &t.update
	u.Links = o.chains[t.group]
	u.W, u.Grad, u.Keep = t.param.Value[t.lo:t.hi], t.param.Grad[t.lo:t.hi], nil
	if t.param.Mask != nil {
		u.Keep = t.param.Mask[t.lo:t.hi]
	}
	u.Run()
}

// Groups lists the parameters that are trained, by their hyperparameters.
func (o *Optimizer) Groups() []Group { return o.groups }

// Plans says for every parameter given to New what is done to it and why.
func (o *Optimizer) Plans() []Plan { return o.plans }
