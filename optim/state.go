package optim

import (
	"fmt"
	"maps"
	"slices"
)

// State is all that an optimizer remembers from step to step: restored together
// with the parameters and their masks, training goes on as if it had never
// stopped, to the last bit.
type State struct {
	Rule string
	Step int // steps made

	// Numbers are what a rule remembers besides, by name; mostly nothing.
	Numbers map[string]float64

	// Slots holds what a rule keeps of a parameter, mostly a number for each
	// element: by the name of the slot ("momentum", "exp_avg", "exp_avg_sq"), then
	// by the name of the parameter. Penalties that pull towards the weights at the
	// start keep these in slot "start".
	Slots map[string]map[string][]float32
}

// State returns the state. Its slices are the optimizer's own: write them out
// or copy them before the next step.
func (o *Optimizer) State() State {
	if o.lbfgs != nil {
		o.state.Numbers, o.state.Slots = o.lbfgs.state.plain(o.lbfgs.params)
	}
	return o.state
}

// Load copies s into the optimizer. It reports, and then changes nothing, a
// state of another rule and one whose slots, parameters or lengths are not what
// the configuration needs.
func (o *Optimizer) Load(s State) error {
	if s.Rule != o.state.Rule {
		return fmt.Errorf("optimizer state is of rule %q, want %q", s.Rule, o.state.Rule)
	}
	if s.Step < 0 {
		return fmt.Errorf("optimizer state: step %d is negative", s.Step)
	}
	if o.lbfgs != nil {
		if err := o.lbfgs.Load(lbfgsState(s, o.lbfgs.params)); err != nil {
			return err
		}
		o.state.Step = s.Step
		return nil
	}
	if err := sameKeys("slot", s.Slots, o.state.Slots); err != nil {
		return err
	}
	for _, slot := range slices.Sorted(maps.Keys(s.Slots)) {
		if err := sameKeys(slot+" of parameter", s.Slots[slot], o.state.Slots[slot]); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(s.Slots[slot])) {
			got, want := len(s.Slots[slot][name]), len(o.state.Slots[slot][name])
			if got != want {
				return fmt.Errorf("optimizer state: %s of parameter %q has %d values, want %d", slot, name, got, want)
			}
		}
	}
	for slot, values := range s.Slots {
		for name, v := range values {
			copy(o.state.Slots[slot][name], v)
		}
	}
	o.state.Step = s.Step
	return nil
}

// sameKeys reports the first key, in order, that is in one map only.
func sameKeys[V any](what string, got, want map[string]V) error {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[k]; !ok {
			return fmt.Errorf("optimizer state: %s %q is missing", what, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			return fmt.Errorf("optimizer state: %s %q is not one of this run", what, k)
		}
	}
	return nil
}

// add makes a slot of p.
func (s *State) add(kind slot, p *Param) []float32 {
	if s.Slots[kind.name] == nil {
		s.Slots[kind.name] = make(map[string][]float32)
	}
	n := len(p.Value)
	if kind.size > 0 {
		n = kind.size
	}
	values := make([]float32, n)
	if kind.first != 0 {
		for i := range values {
			values[i] = kind.first
		}
	}
	s.Slots[kind.name][p.Name] = values
	return values
}
