package optim

import (
	"errors"
	"fmt"
	"slices"
)

// StepClosure is a step of any rule: closure computes the loss of the weights as
// they are and its gradients into Param.Grad, once, or as often as a rule of
// [Rule.Closure] asks. It returns the loss of the first time. An error of closure
// ends the step.
func (o *Optimizer) StepClosure(scale float64, closure func() (float64, error)) (float64, error) {
	if o.lbfgs == nil {
		loss, err := closure()
		if err == nil {
			o.Step(scale)
		}
		return loss, err
	}
	o.state.Step++
	for _, x := range o.tensors {
		x.begin(o.state.Step, o.cfg.Run.Steps, scale)
	}
	o.lbfgs.cfg.LR = o.tensors[0].h.LR
	return o.lbfgs.Step(closure)
}

// WantsClosure reports whether the rule asks for gradients itself.
func (o *Optimizer) WantsClosure() bool { return o.rule.Closure }

// newLBFGS prepares L-BFGS for the parameters of o. It reports settings that differ
// between them, which the rule cannot do.
func newLBFGS(o *Optimizer) (*LBFGS, error) {
	h := o.groups[0].Hyper
	var params []*Param
	l2 := map[*Param]float64{}
	for _, x := range o.tensors {
		own := x.plan.Hyper
		if own.LR != h.LR || own.Iterations != h.Iterations || own.History != h.History || own.LineSearch != h.LineSearch {
			return nil, errors.New("rule lbfgs has one learning rate, history and line-search for all parameters")
		}
		l2[x.Param] = own.L2 + own.WeightDecay
		params = append(params, x.Param)
	}
	b, err := NewLBFGS(params, LBFGSConfig{LR: h.LR, Iterations: int(h.Iterations), History: int(h.History), LineSearch: h.LineSearch == 1})
	if err == nil {
		b.l2 = l2
	}
	return b, err
}

// plain is the state as numbers and slots, by parameter.
func (s LBFGSState) plain(params []*Param) (map[string]float64, map[string]map[string][]float32) {
	numbers := map[string]float64{"iterations": float64(s.Iterations), "length": s.Length, "loss": s.Loss, "history": float64(len(s.Steps))}
	slots := map[string]map[string][]float32{}
	add := func(name string, all []float32) {
		slots[name] = map[string][]float32{}
		for _, p := range params {
			slots[name][p.Name], all = all[:len(p.Value)], all[len(p.Value):]
		}
	}
	if s.Iterations > 0 {
		add("direction", s.Direction)
		add("grad", s.Grad)
	}
	for i := range s.Steps {
		add(fmt.Sprintf("change%d", i), s.Changes[i])
		add(fmt.Sprintf("step%d", i), s.Steps[i])
	}
	return numbers, slots
}

// lbfgsState is the inverse of plain. What is missing is empty, which Load finds.
func lbfgsState(s State, params []*Param) LBFGSState {
	joined := func(name string) []float32 {
		var all []float32
		for _, p := range params {
			all = append(all, s.Slots[name][p.Name]...)
		}
		return slices.Clip(all)
	}
	b := LBFGSState{Iterations: int(s.Numbers["iterations"]), Length: s.Numbers["length"], Loss: s.Numbers["loss"]}
	if b.Iterations > 0 {
		b.Direction, b.Grad = joined("direction"), joined("grad")
	}
	for i := range min(len(s.Slots), int(s.Numbers["history"])) {
		b.Changes, b.Steps = append(b.Changes, joined(fmt.Sprintf("change%d", i))), append(b.Steps, joined(fmt.Sprintf("step%d", i)))
	}
	return b
}
