package optim

import (
	"errors"
	"fmt"
	"math"

	"finetune/internal/kernel"
)

// Optimizer trains parameters by one rule.
type Optimizer struct {
	cfg     Config
	rule    *rule
	plans   []Plan
	groups  []Group
	tensors []*tensor
	state   State
	tasks   []task
	run     func(task int)
	lbfgs   *LBFGS // does the steps of that rule; else nil
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
	o.run = func(i int) { o.tasks[i].run() }
	o.state = State{Rule: cfg.Rule, Slots: make(map[string]map[string][]float32)}
	for i := range plans {
		if plans[i].Param.Trainable {
			o.addTensor(&plans[i])
		}
	}
	if o.rule.Closure {
		o.lbfgs, err = newLBFGS(o)
	}
	return o, err
}

// addTensor prepares to train one parameter.
func (o *Optimizer) addTensor(plan *Plan) {
	p, h := plan.Param, plan.Hyper
	x := &tensor{Param: p, plan: plan, h: h, kinds: o.rule.slots(p, h)}
	for _, c := range plan.courses {
		now := c.field.Value(&x.h)
		x.moving = append(x.moving, moving{now, *now, c.schedule})
	}
	for _, kind := range x.kinds {
		x.slots = append(x.slots, o.state.add(kind, p))
	}
	if h.remembersStart() {
		x.start = o.state.add(slot{name: startSlot}, p)
		copy(x.start, p.Value)
	}
	if len(o.rule.stages) > 1 {
		x.update = make([]float32, len(p.Value))
	}
	o.tensors = append(o.tensors, x)
	for lo := 0; lo < len(p.Value); lo += taskLen {
		o.tasks = append(o.tasks, task{x: x, lo: lo, hi: min(lo+taskLen, len(p.Value))})
	}
}

// Step changes every trainable parameter by its Grad, which it leaves alone. The
// learning rates are multiplied by scale, the value of a [Schedule], but for
// those that have a schedule of their own. It panics if a gradient is missing or
// scale is negative or not finite.
func (o *Optimizer) Step(scale float64) {
	if o.lbfgs != nil {
		panic("optim: Step: rule " + o.rule.Name + " wants StepClosure")
	}
	if !(scale >= 0 && scale <= math.MaxFloat32) {
		panic(fmt.Sprintf("optim: Step: scale %g is not in [0, inf)", scale))
	}
	for _, x := range o.tensors {
		if len(x.Grad) != len(x.Value) {
			panic(fmt.Sprintf("optim: Step: parameter %q has a gradient of length %d, want %d", x.Name, len(x.Grad), len(x.Value)))
		}
	}
	o.state.Step++
	for _, x := range o.tensors {
		x.begin(o.state.Step, o.cfg.Run.Steps, scale)
	}
	last := len(o.rule.stages) - 1
	for i, stage := range o.rule.stages {
		for _, x := range o.tensors {
			if stage.whole != nil {
				stage.whole(x)
			}
			o.build(x, stage, i == 0, i == last)
		}
		kernel.Parallel(len(o.tasks), o.run)
		for _, x := range o.tensors {
			if len(x.chain.pieces) > 0 && i < last {
				x.source = x.update
			}
		}
	}
	for _, x := range o.tensors {
		if x.h.Group != 0 {
			x.shrinkGroups(o.cfg.Groups, x.h.LR*x.h.Group)
		}
	}
}

// build makes the chain of a stage: what joins the gradient comes before the rule,
// and what changes the weights beside it comes after.
func (o *Optimizer) build(x *tensor, s stage, first, last bool) {
	c := &x.chain
	c.reset()
	if first {
		o.couple(c, x)
	}
	if last && o.rule.decay == before {
		o.decay(c, x)
	}
	if s.chain != nil {
		s.chain(c, x)
	}
	if last {
		if o.rule.decay == after {
			o.decay(c, x)
		}
		o.finish(c, x)
	}
	c.end(!last)
}

// couple appends the penalties that join the gradient.
func (o *Optimizer) couple(c *chain, x *tensor) {
	h := x.h
	l2 := h.L2
	if o.cfg.DecayMode == Coupled {
		l2 += h.WeightDecay
	}
	if l2 != 0 {
		c.add(addL2(l2))
	}
	soft := o.cfg.L1Mode != Proximal
	if soft && h.L1 != 0 {
		c.add(addL1(h.L1))
	}
	if !soft {
		h.L1SP = 0
	}
	if h.remembersStart() {
		c.each(startLoop, factors{low: float32(h.L2SP), high: float32(h.L1SP)})
	}
}

// decay appends decay beside the gradient.
func (o *Optimizer) decay(c *chain, x *tensor) {
	keep := 1.0
	switch o.cfg.DecayMode {
	case Absolute:
		keep = 1 - x.h.WeightDecay
	case Coupled:
	default:
		keep = 1 - float64(x.h.LR*x.h.WeightDecay)
	}
	if keep != 1 {
		c.add(shrink(keep))
	}
}

// finish appends what comes after the update: proximal steps and the mask.
func (o *Optimizer) finish(c *chain, x *tensor) {
	if o.cfg.L1Mode == Proximal {
		if x.h.L1SP != 0 {
			c.each(startThreshold, factors{lr: float32(x.h.LR * x.h.L1SP)})
		}
		if x.h.L1 != 0 {
			c.proximalL1(x, o.rule, o.cfg.L1Step)
		}
	}
	if !c.masked() {
		c.add(applyMask())
	}
}

// LearningRate is that of the first trained parameter at the last step.
func (o *Optimizer) LearningRate() float64 { return o.tensors[0].h.LR }

// Groups lists the parameters that are trained, by their hyperparameters.
func (o *Optimizer) Groups() []Group { return o.groups }

// Plans says for every parameter given to New what is done to it and why.
func (o *Optimizer) Plans() []Plan { return o.plans }
