package optim

import (
	"fmt"
	"math"
)

// Plan is what a configuration means for one parameter.
type Plan struct {
	Param *Param
	Hyper Hyper
	Why   []Reason // one per field that the rule uses; empty unless Trainable
}

// Reason says where the value of a field comes from.
type Reason struct {
	Field string // "lr", "l1", …: the name of the flag
	Value float64
	From  string // the setting that decided, as written, or "default"
}

// Group holds the parameters that share all hyperparameters.
type Group struct {
	Hyper  Hyper
	Params []*Param
}

// Resolve works out what cfg does to each of params, in their order, and
// reports a problem of cfg as an error: an unknown rule or mode, a value outside its
// range, a selector that selects nothing. Parameters that are not Trainable
// keep zero hyperparameters.
func Resolve(params []*Param, cfg Config) ([]Plan, error) {
	r, err := ruleByName(cfg.Rule)
	if err != nil {
		return nil, err
	}
	if err := cfg.checkModes(); err != nil {
		return nil, err
	}
	fields, err := cfg.fields(r)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if err := f.settings.check(f.name, f.span, f.in, params); err != nil {
			return nil, err
		}
	}
	plans := make([]Plan, len(params))
	for i, p := range params {
		plans[i].Param = p
		if !p.Trainable {
			continue
		}
		for _, f := range fields {
			reason := f.reason(p, r.Defaults)
			plans[i].Why = append(plans[i].Why, reason)
			*f.value(&plans[i].Hyper) = reason.Value
		}
		if err := plans[i].Hyper.check(); err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
	}
	return plans, nil
}

// reason finds the value of f for p.
func (f field) reason(p *Param, defaults Hyper) Reason {
	if s, ok := f.settings.decide(p, f.in); ok {
		return Reason{Field: f.name, Value: s.Value, From: s.String()}
	}
	why := Reason{Field: f.name, From: "default"}
	if f.in(p) {
		why.Value = *f.value(&defaults)
	}
	return why
}

// check reports hyperparameters that exclude each other.
func (h Hyper) check() error {
	if h.Nesterov != 0 && h.Nesterov != 1 {
		return fmt.Errorf("nesterov: %g is neither 0 nor 1", h.Nesterov)
	}
	if h.Nesterov == 1 && (h.Momentum == 0 || h.Dampening != 0) {
		return fmt.Errorf("nesterov needs momentum above 0 and dampening 0, not %g and %g", h.Momentum, h.Dampening)
	}
	return nil
}

// groups collects the trainable parameters by their hyperparameters, in the
// order in which these first occur.
func groups(plans []Plan) []Group {
	var list []Group
	index := make(map[Hyper]int)
	for _, plan := range plans {
		if !plan.Param.Trainable {
			continue
		}
		i, ok := index[plan.Hyper]
		if !ok {
			i = len(list)
			index[plan.Hyper] = i
			list = append(list, Group{Hyper: plan.Hyper})
		}
		list[i].Params = append(list[i].Params, plan.Param)
	}
	return list
}

// check reports a parameter whose slices do not fit its shape.
func (p *Param) check() error {
	n := 1
	for _, d := range p.Shape {
		if d < 0 || d > 0 && n > math.MaxInt/d {
			return fmt.Errorf("parameter %q: impossible shape %v", p.Name, p.Shape)
		}
		n *= d
	}
	if len(p.Value) != n {
		return fmt.Errorf("parameter %q: %d values for shape %v", p.Name, len(p.Value), p.Shape)
	}
	if p.Mask != nil && len(p.Mask) != n {
		return fmt.Errorf("parameter %q: a mask of %d for %d values", p.Name, len(p.Mask), n)
	}
	return nil
}
