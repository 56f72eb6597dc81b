package optim

import (
	"fmt"
	"slices"
	"strings"
)

// rule is one way to turn gradients into updates. A new one is an entry in
// rules, a transform and a golden trajectory.
type rule struct {
	name     string
	summary  string
	fields   []string // what it uses besides lr, l1, l2 and weight-decay
	defaults Hyper

	// slots names the state it keeps for each element under h, in the order in
	// which a block holds it.
	slots func(h Hyper) []string

	// update appends the transforms that move the weights.
	update func(chain []transform, h Hyper, lr float64, step int) []transform

	decayFirst bool // decay comes before the update, not after
}

// rules lists every update rule, the simplest first.
var rules = []rule{
	{
		name:     "sgd",
		summary:  "stochastic gradient descent, with momentum, dampening and Nesterov's look-ahead",
		fields:   []string{"momentum", "dampening", "nesterov"},
		defaults: Hyper{LR: 1e-3},
		slots:    sgdSlots,
		update:   sgd,
	},
	{
		name:     "adam",
		summary:  "adaptive moments (Kingma and Ba, 2015)",
		fields:   []string{"beta1", "beta2", "eps"},
		defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
		slots:    adamSlots,
		update:   adam,
	},
	{
		name:       "adamw",
		summary:    "adam with decoupled weight decay (Loshchilov and Hutter, 2019)",
		fields:     []string{"beta1", "beta2", "eps"},
		defaults:   Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 1e-2},
		slots:      adamSlots,
		update:     adam,
		decayFirst: true,
	},
}

// Rules maps the name of every update rule to one line on what it is.
func Rules() map[string]string {
	m := make(map[string]string)
	for _, r := range rules {
		m[r.name] = r.summary
	}
	return m
}

func ruleByName(name string) (*rule, error) {
	var names []string
	for i := range rules {
		if rules[i].name == name {
			return &rules[i], nil
		}
		names = append(names, rules[i].name)
	}
	return nil, fmt.Errorf("rule: %q is not one of %s", name, strings.Join(names, ", "))
}

func (r *rule) uses(field string) bool {
	switch field {
	case "lr", "l1", "l2", "weight-decay":
		return true
	}
	return slices.Contains(r.fields, field)
}
