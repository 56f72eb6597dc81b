package optim

import (
	"fmt"
	"slices"
	"strings"
)

// Rule describes an update rule, for help texts.
type Rule struct {
	Name     string
	Summary  string
	Fields   []string // the hyperparameters it has besides those that all have
	Defaults Hyper    // PyTorch's, or those of the paper where PyTorch has no such rule

	Curvature bool // it wants Optimizer.Curvature now and then
	Closure   bool // it asks for gradients itself: Optimizer.StepClosure
}

// rule is one way to turn gradients into updates. A new one is an entry in
// rules, a file with its formula, and a trajectory to hold it to.
type rule struct {
	Rule

	// slots names the state it keeps of p under h. Links of the kernel know the
	// first two as s and t.
	slots func(p *Param, h Hyper) []slot

	// stages are what a step does, one behind the other. Most rules have one: they
	// need no more of a tensor than the element at hand.
	stages []stage

	decay decayPlace

	// rates are the learning rates of the coordinates; nil if there are none.
	rates func(x *tensor) rates
}

// A stage is a trip through all parameters: first whole looks at each tensor as a
// whole, if it is set, and then chain, if set, says what is done to each element.
// What a stage leaves of the update, the next one finds in tensor.source.
type stage struct {
	whole func(x *tensor)
	chain func(c *chain, x *tensor)
}

// decayPlace says where a rule has decay beside the gradient.
type decayPlace int

const (
	after  decayPlace = iota // the update
	before                   // the update
	within                   // the update: the rule does it itself
)

// elementwise is the stage of a rule that needs only one.
func elementwise(chain func(*chain, *tensor)) []stage { return []stage{{chain: chain}} }

var moments = []string{"beta1", "beta2", "eps"}

// rules lists every update rule, the simplest first.
var rules = []rule{
	{
		Rule: Rule{
			Name:     "sgd",
			Summary:  "stochastic gradient descent, with momentum, dampening and Nesterov's look-ahead",
			Fields:   []string{"momentum", "dampening", "nesterov"},
			Defaults: Hyper{LR: 1e-3},
		},
		slots: momentumSlots, stages: elementwise(sgd),
	},
	{
		Rule: Rule{
			Name:     "adam",
			Summary:  "adaptive moments (Kingma and Ba, 2015)",
			Fields:   moments,
			Defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
		},
		slots: adamSlots, stages: elementwise(adam), rates: adamRates,
	},
	{
		Rule: Rule{
			Name:     "adamw",
			Summary:  "adam with decoupled weight decay (Loshchilov and Hutter, 2019)",
			Fields:   moments,
			Defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 1e-2},
		},
		slots: adamSlots, stages: elementwise(adam), rates: adamRates, decay: before,
	},
	{
		Rule: Rule{
			Name:     "amsgrad",
			Summary:  "adam whose rates never grow again (Reddi, Kale and Kumar, 2018)",
			Fields:   moments,
			Defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
		},
		slots: amsgradSlots, stages: elementwise(amsgrad), rates: amsgradRates,
	},
	{
		Rule: Rule{
			Name:     "nadam",
			Summary:  "adam with Nesterov's momentum (Dozat, 2016)",
			Fields:   append(slices.Clone(moments), "momentum-decay"),
			Defaults: Hyper{LR: 2e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, MomentumDecay: 4e-3},
		},
		slots: nadamSlots, stages: elementwise(nadam), rates: adamRates,
	},
	{
		Rule: Rule{
			Name:     "radam",
			Summary:  "adam that starts as gradient descent (Liu et al., 2020)",
			Fields:   moments,
			Defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
		},
		slots: adamSlots, stages: elementwise(radam), rates: radamRates,
	},
	{
		Rule: Rule{
			Name:     "adamax",
			Summary:  "adam with the largest gradient of late in place of the mean square (Kingma and Ba, 2015)",
			Fields:   moments,
			Defaults: Hyper{LR: 2e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
		},
		slots: adamaxSlots, stages: elementwise(adamax),
	},
	{
		Rule: Rule{
			Name:     "adabelief",
			Summary:  "adam that divides by how far gradients differ from their mean (Zhuang et al., 2020)",
			Fields:   moments,
			Defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-16},
		},
		slots: adabeliefSlots, stages: elementwise(adabelief), rates: adamRates,
	},
	{
		Rule: Rule{
			Name:     "adagrad",
			Summary:  "rates fall where gradients were large (Duchi, Hazan and Singer, 2011)",
			Fields:   []string{"lr-decay", "initial-sum", "eps"},
			Defaults: Hyper{LR: 1e-2, Eps: 1e-10},
		},
		slots: adagradSlots, stages: elementwise(adagrad), rates: adagradRates,
	},
	{
		Rule: Rule{
			Name:     "adadelta",
			Summary:  "steps as large as those before (Zeiler, 2012)",
			Fields:   []string{"rho", "eps"},
			Defaults: Hyper{LR: 1, Rho: 0.9, Eps: 1e-6},
		},
		slots: adadeltaSlots, stages: elementwise(adadelta),
	},
	{
		Rule: Rule{
			Name:     "rmsprop",
			Summary:  "gradients divided by their root mean square (Tieleman and Hinton, 2012)",
			Fields:   []string{"alpha", "eps", "centered", "momentum"},
			Defaults: Hyper{LR: 1e-2, Alpha: 0.99, Eps: 1e-8},
		},
		slots: rmspropSlots, stages: elementwise(rmsprop),
	},
	{
		Rule: Rule{
			Name:     "rprop",
			Summary:  "signs of full gradients, steps that grow and shrink (Riedmiller and Braun, 1993)",
			Fields:   []string{"eta-minus", "eta-plus", "step-min", "step-max"},
			Defaults: Hyper{LR: 1e-2, EtaMinus: 0.5, EtaPlus: 1.2, StepMin: 1e-6, StepMax: 50},
		},
		slots: rpropSlots, stages: elementwise(rprop),
	},
	{
		Rule: Rule{
			Name:     "asgd",
			Summary:  "gradient descent that averages weights (Polyak and Juditsky, 1992)",
			Fields:   []string{"lambda", "power", "t0"},
			Defaults: Hyper{LR: 1e-2, Lambda: 1e-4, Power: 0.75, T0: 1e6},
		},
		slots: asgdSlots, stages: elementwise(asgd),
	},
	{
		Rule: Rule{
			Name:     "lion",
			Summary:  "the sign of a mean gradient (Chen et al., 2023)",
			Fields:   []string{"beta1", "beta2"},
			Defaults: Hyper{LR: 1e-4, Beta1: 0.9, Beta2: 0.99},
		},
		slots: lionSlots, stages: elementwise(lion), decay: before,
	},
	{
		Rule: Rule{
			Name:     "lamb",
			Summary:  "adam with steps in proportion to each tensor, for large batches (You et al., 2020)",
			Fields:   moments,
			Defaults: Hyper{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-6},
		},
		slots: adamSlots, stages: lambStages, decay: within,
	},
	{
		Rule: Rule{
			Name:     "lars",
			Summary:  "sgd with gradients in proportion to each tensor, for large batches (You, Gitman and Ginsburg, 2017)",
			Fields:   []string{"momentum", "trust", "eps"},
			Defaults: Hyper{LR: 0.1, Momentum: 0.9, Trust: 1e-3, Eps: 1e-8},
		},
		slots: momentumSlots, stages: larsStages, decay: within,
	},
	{
		Rule: Rule{
			Name:     "adafactor",
			Summary:  "mean squares by row and column, for little memory (Shazeer and Stern, 2018)",
			Fields:   []string{"beta2-decay", "eps", "clip-threshold"},
			Defaults: Hyper{LR: 1e-2, Beta2Decay: -0.8, Eps: 1e-3, ClipThreshold: 1},
		},
		slots: adafactorSlots, stages: adafactorStages, decay: before,
	},
	{
		Rule: Rule{
			Name:     "muon",
			Summary:  "orthogonal updates of hidden matrices, adamw for the rest (Jordan et al., 2024)",
			Fields:   append([]string{"momentum", "nesterov", "ns-steps"}, moments...),
			Defaults: Hyper{LR: 1e-3, Momentum: 0.95, Nesterov: 1, NSSteps: 5, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1},
		},
		slots: muonSlots, stages: muonStages, decay: before,
	},
	{
		Rule: Rule{
			Name:      "sophia",
			Summary:   "Sophia-G: a mean gradient divided by an estimate of the curvature (Liu et al., 2024)",
			Fields:    append(slices.Clone(moments), "rho"),
			Defaults:  Hyper{LR: 1e-4, Beta1: 0.965, Beta2: 0.99, Rho: 0.04, Eps: 1e-12, WeightDecay: 0.1},
			Curvature: true,
		},
		slots: sophiaSlots, stages: elementwise(sophia), decay: before,
	},
	{
		Rule: Rule{
			Name:     "lbfgs",
			Summary:  "L-BFGS, for few parameters and all examples in one batch (Liu and Nocedal, 1989)",
			Fields:   []string{"iterations", "history", "line-search"},
			Defaults: Hyper{LR: 1, Iterations: 20, History: 100},
			Closure:  true,
		},
		slots: func(*Param, Hyper) []slot { return nil },
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
	shared := common
	if r.Closure {
		shared = commonOfClosure
	}
	return slices.Contains(shared, field) || slices.Contains(r.Fields, field)
}
