package optim

import (
	"errors"
	"fmt"
	"math"
	"sync"

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
	chains [][]transform // of each group, in the step being made
	blocks sync.Pool     // of *workspace
}

// task is a run of one parameter's elements, [lo, hi), at most taskLen long.
type task struct {
	group  int
	param  *Param
	slots  [maxSlots][]float32
	lo, hi int
}

// workspace is what a task needs besides the parameter.
type workspace struct {
	block  block
	update [blockLen]float32
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
	o.chains = make([][]transform, len(o.groups))
	o.blocks.New = func() any { return new(workspace) }
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
		o.tasks = append(o.tasks, task{group, p, slots, lo, min(lo+taskLen, len(p.Value))})
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
		o.chains[i] = o.chain(g.Hyper, scale*g.Hyper.LR, o.state.Step)
	}
	kernel.Parallel(len(o.tasks), o.run)
}

// run takes the blocks of one task through the chain of its group.
func (o *Optimizer) run(i int) {
	t, ws := &o.tasks[i], o.blocks.Get().(*workspace)
	b := &ws.block
	for lo := t.lo; lo < t.hi; lo += blockLen {
		hi := min(lo+blockLen, t.hi)
		b.w = t.param.Value[lo:hi]
		b.u = ws.update[:copy(ws.update[:], t.param.Grad[lo:hi])]
		for k, slot := range t.slots {
			b.slot[k] = nil
			if slot != nil {
				b.slot[k] = slot[lo:hi]
			}
		}
		b.mask = nil
		if t.param.Mask != nil {
			b.mask = t.param.Mask[lo:hi]
		}
		for _, link := range o.chains[t.group] {
			link.apply(b)
		}
	}
	ws.block = block{}
	o.blocks.Put(ws)
}

// Groups lists the parameters that are trained, by their hyperparameters.
func (o *Optimizer) Groups() []Group { return o.groups }

// Plans says for every parameter given to New what is done to it and why.
func (o *Optimizer) Plans() []Plan { return o.plans }
