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

	// Slots holds what a rule keeps for each element of a parameter: by the
	// name of the slot ("momentum", "exp_avg", "exp_avg_sq"), then by the name
	// of the parameter.
	Slots map[string]map[string][]float32
}

// State returns the state. Its slices are the optimizer's own: write them out
// or copy them before the next step.
func (o *Optimizer) State() State { return o.state }

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

// add makes the named slots for p and returns them in order.
func (s *State) add(names []string, p *Param) (slots [maxSlots][]float32) {
	for i, name := range names {
		if s.Slots[name] == nil {
			s.Slots[name] = make(map[string][]float32)
		}
		slots[i] = make([]float32, len(p.Value))
		s.Slots[name][p.Name] = slots[i]
	}
	return slots
}
