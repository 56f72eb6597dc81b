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

	courses []course
}

// course is a field that has a schedule of its own.
type course struct {
	field    Field
	text     string
	schedule Schedule
}

// Reason says where the value of a field comes from.
type Reason struct {
	Field string // "lr", "l1", …: the name of the flag
	Value float64
	From  string // the setting that decided, as written, or "default"
}

// Group holds the parameters that share all hyperparameters and their schedules.
type Group struct {
	Hyper  Hyper
	Params []*Param
}

// Resolve works out what cfg does to each of params, in their order, and
// reports a problem of cfg as an error: an unknown rule or mode, a value outside its
// range, a selector that selects nothing. Parameters that are not Trainable
// keep zero hyperparameters.
func Resolve(params []*Param, cfg Config) ([]Plan, error) {
	r, fields, err := cfg.used(params)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if err := f.Settings(&cfg).checkSelectors(f.Name, f.in, params); err != nil {
			return nil, err
		}
	}
	deepest := 0
	for _, p := range params {
		if p.Trainable {
			deepest = max(deepest, p.Depth)
		}
	}
	plans := make([]Plan, len(params))
	for i, p := range params {
		plan := &plans[i]
		plan.Param = p
		if !p.Trainable {
			continue
		}
		for _, f := range fields {
			if err := plan.decide(f, cfg, r.Defaults); err != nil {
				return nil, err
			}
		}
		if cfg.LayerDecay > 0 && cfg.LayerDecay < 1 {
			plan.slowDown(cfg.LayerDecay, deepest-p.Depth)
		}
		if err := plan.Hyper.check(); err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
	}
	return plans, nil
}

// decide finds the value of f and notes why.
func (plan *Plan) decide(f Field, cfg Config, defaults Hyper) error {
	why := Reason{Field: f.Name, From: "default"}
	if s, ok := f.Settings(&cfg).decide(plan.Param, f.in); ok {
		why.Value, why.From = s.Value, s.String()
		switch {
		case s.Course.IsZero():
		case s.Course.Plateau != nil:
			return fmt.Errorf("%s %q: plateau is a schedule of all learning rates together only", f.Name, s.String())
		default:
			plan.courses = append(plan.courses, course{f, s.Course.String(), s.Course.Schedule(cfg.Run, 0)})
		}
	} else if f.in(plan.Param) {
		why.Value = *f.Value(&defaults)
	}
	plan.Why = append(plan.Why, why)
	*f.Value(&plan.Hyper) = why.Value
	return nil
}

// slowDown lowers the learning rate of a parameter that is so many layers below
// the last.
//
// Howard and Ruder, "Universal Language Model Fine-tuning for Text
// Classification", ACL 2018, section 3.2.
func (plan *Plan) slowDown(decay float64, layers int) {
	plan.Hyper.LR *= math.Pow(decay, float64(layers))
	for i := range plan.Why {
		if why := &plan.Why[i]; why.Field == "lr" && layers > 0 {
			why.Value = plan.Hyper.LR
			noun := "layers"
			if layers == 1 {
				noun = "layer"
			}
			why.From = fmt.Sprintf("%s, %d %s before the last", why.From, layers, noun)
		}
	}
}

// check reports hyperparameters that exclude each other.
func (h Hyper) check() error {
	if h.Nesterov == 1 && (h.Momentum == 0 || h.Dampening != 0) {
		return fmt.Errorf("nesterov needs momentum above 0 and dampening 0, not %g and %g", h.Momentum, h.Dampening)
	}
	if h.StepMin > h.StepMax {
		return fmt.Errorf("step-min is %g, which is above step-max, %g", h.StepMin, h.StepMax)
	}
	return nil
}

// groups collects the trainable parameters by their hyperparameters, in the
// order in which these first occur.
func groups(plans []Plan) []Group {
	var list []Group
	type key struct {
		h       Hyper
		courses string
	}
	index := make(map[key]int)
	for _, plan := range plans {
		if !plan.Param.Trainable {
			continue
		}
		k := key{h: plan.Hyper}
		for _, c := range plan.courses {
			k.courses += c.field.Name + "@" + c.text + "\n"
		}
		i, ok := index[k]
		if !ok {
			i = len(list)
			index[k] = i
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
