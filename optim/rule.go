package optim

import (
	"fmt"
	"slices"
	"strings"

	"finetune/internal/kernel"
)

// Rule describes an update rule, for help texts.
type Rule struct {
	Name     string
	Summary  string
	Fields   []string // the hyperparameters it has besides lr, l1, l2 and weight-decay
	Defaults Hyper    // PyTorch's
}

// rule is one way to turn gradients into updates. A new one is an entry in
// rules, a link or two and a golden trajectory.
type rule struct {
	Rule

	// slots names the state it keeps for each element under h, in the order in
	// which a block holds it.
	slots func(h Hyper) []string

	// update appends the links that move the weights.
	update func(chain []kernel.Link, h Hyper, lr float64, step int) []kernel.Link

	decayFirst bool // decay comes before the update, not after
}

// rules lists every update rule, the simplest first.
var rules = []rule{
	{
		Rule: Rule{
			Name:     "sgd",
			Summary:  "stochastic gradient descent, with momentum, dampening and Nesterov's look-ahead",
			Fields:   []string{"momentum", "dampening", "nesterov"},
			Defaults: Hyper{LR: 1e-3},
		},
		slots:  sgdSlots,
		update: sgd,
	},
	{
		Rule: Rule{
			Name:     "adam",
			Summary:  "adaptive moments (Kingma and Ba, 2015)",
			Fields:   []string{"beta1", "beta2", "eps"},
			Defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
		},
		slots:  adamSlots,
		update: adam,
	},
	{
		Rule: Rule{
			Name:     "adamw",
			Summary:  "adam with decoupled weight decay (Loshchilov and Hutter, 2019)",
			Fields:   []string{"beta1", "beta2", "eps"},
			Defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 1e-2},
		},
		slots:      adamSlots,
		update:     adam,
		decayFirst: true,
	},
}

// Rules lists every update rule, the simplest first.
func Rules() []Rule {
	var list []Rule
	for _, r := range rules {
		list = append(list, r.Rule)
	}
	return list
}

func ruleByName(name string) (*rule, error) {
	var names []string
	for i := range rules {
		if rules[i].Name == name {
			return &rules[i], nil
		}
		names = append(names, rules[i].Name)
	}
	return nil, fmt.Errorf("rule: %q is not one of %s", name, strings.Join(names, ", "))
}

func (r *rule) uses(field string) bool {
	switch field {
	case "lr", "l1", "l2", "weight-decay":
		return true
	}
	return slices.Contains(r.Fields, field)
}
