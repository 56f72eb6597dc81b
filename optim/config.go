package optim

import (
	"fmt"
	"slices"
	"strings"
)

// L1Mode says how an L1 penalty acts.
type L1Mode string

// The ways of L1. The empty mode is Subgradient.
const (
	Subgradient L1Mode = "subgradient" // g += λ·sign(w): weights hover around zero
	Proximal    L1Mode = "proximal"    // w = sign(w)·max(|w| − ηλ, 0): exact zeros
)

// L1Step says by how much proximal L1 shortens a weight.
type L1Step string

// The steps of proximal L1. The empty step is Uniform.
const (
	Uniform    L1Step = "uniform"    // ηλ for all weights
	Coordinate L1Step = "coordinate" // η_i·λ, with the rate that the rule gives weight i
)

// DecayMode says what weight decay is measured by.
type DecayMode string

// The ways of weight decay. The empty mode is Decoupled.
const (
	Decoupled DecayMode = "decoupled" // w *= 1 − ηλ: follows the learning rate
	Absolute  DecayMode = "absolute"  // w *= 1 − λ: the same at every step
	Coupled   DecayMode = "coupled"   // g += λw: an L2 penalty, which the rule scales
)

// Config says how parameters are trained. Each field is a list of settings, the
// last match wins; a parameter that none matches gets the rule's default, which
// is PyTorch's. Values are checked when they are resolved, NaN included, and a
// field that the rule does not use must be empty. [Fields] says what each field
// is, [Rules] which rule has which.
type Config struct {
	Rule string // the name of one of Rules

	LR Settings // learning rate

	Momentum, Dampening, Nesterov      Settings
	Beta1, Beta2, Eps                  Settings
	Alpha, Rho, Centered               Settings
	MomentumDecay, LRDecay, InitialSum Settings
	EtaMinus, EtaPlus                  Settings
	StepMin, StepMax                   Settings
	Lambda, Power, T0                  Settings
	Trust, Beta2Decay, ClipThreshold   Settings
	NSSteps                            Settings
	Iterations, History, LineSearch    Settings

	L1          Settings // λ of λ|w|
	L2          Settings // λ of λ/2·w², in the gradient
	WeightDecay Settings // λ beside the gradient
	Group       Settings // λ of λ√n·‖w_g‖ for groups g of n weights
	L1SP, L2SP  Settings // λ of λ|w − w₀| and λ/2·(w − w₀)², w₀ the weights at the start

	L1Mode    L1Mode // of L1 and L1SP
	L1Step    L1Step // of L1, if proximal
	DecayMode DecayMode
	Groups    Grouping // which weights are a group

	// LayerDecay multiplies the learning rate of a layer by itself for each layer
	// between it and the last: rates fall towards the input, where features are
	// general. (0, 1]; 0 is 1. See Param.Depth.
	LayerDecay float64

	// Run is the length of training, which schedules of settings refer to. It may
	// be zero if there are none.
	Run Run
}

// Default is the configuration that leaves everything as PyTorch has it, except
// that weight decay spares what is not [Param.Decayed].
func Default(rule string) Config {
	return Config{Rule: rule, L1Mode: Subgradient, DecayMode: Decoupled}
}

// Hyper holds the hyperparameters of one parameter, each as the [Field] of its
// name says. Those its rule does not use are zero.
type Hyper struct {
	LR                                 float64
	Momentum, Dampening, Nesterov      float64
	Beta1, Beta2, Eps                  float64
	Alpha, Rho, Centered               float64
	MomentumDecay, LRDecay, InitialSum float64
	EtaMinus, EtaPlus                  float64
	StepMin, StepMax                   float64
	Lambda, Power, T0                  float64
	Trust, Beta2Decay, ClipThreshold   float64
	NSSteps                            float64
	Iterations, History, LineSearch    float64
	L1, L2, WeightDecay                float64
	Group, L1SP, L2SP                  float64
}

// Check reports what no parameters can be trained with: an unknown rule or mode, a
// field that the rule does not use, a value outside its range. [Resolve] does the
// same, and looks at the parameters.
func (c Config) Check() error {
	_, _, err := c.used(nil)
	return err
}

// used finds the rule, and the fields that it uses for params, with values in their
// ranges.
func (c Config) used(params []*Param) (*rule, []Field, error) {
	r, err := ruleByName(c.Rule)
	if err != nil {
		return nil, nil, err
	}
	if err := c.checkModes(r); err != nil {
		return nil, nil, err
	}
	fields, err := c.fields(r, params)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range fields {
		if err := f.Settings(&c).checkValues(f.Name, f.span); err != nil {
			return nil, nil, err
		}
	}
	if r.Closure && len(c.WeightDecay) > 0 && c.DecayMode != Coupled {
		return nil, nil, fmt.Errorf("weight-decay: rule %s has none but coupled, which is l2", r.Name)
	}
	return r, fields, nil
}

// fields lists what the rule uses for params, in the order in which it is explained.
func (c Config) fields(r *rule, params []*Param) ([]Field, error) {
	var used []Field
	for _, f := range fields {
		switch {
		case !r.uses(f.Name):
			if len(*f.Settings(&c)) > 0 {
				return nil, fmt.Errorf("%s: rule %s has none; %s", f.Name, r.Name, whoUses(f.Name))
			}
			continue
		case f.Name == "weight-decay" && c.DecayMode == Absolute:
			f.span = fraction
		case f.Name == "ns-steps":
			f.in = hidden(params)
		case f.Name == "rho" && r.Name == "adadelta":
			f.span = fraction
		}
		used = append(used, f)
	}
	return used, nil
}

func whoUses(field string) string {
	if slices.Contains(common, field) {
		return "all other rules do"
	}
	var names []string
	for i := range rules {
		if rules[i].uses(field) {
			names = append(names, rules[i].Name)
		}
	}
	return "it belongs to " + strings.Join(names, ", ")
}

// checkModes reports a mode that does not exist or does not fit the rule.
func (c Config) checkModes(r *rule) error {
	switch c.L1Mode {
	case "", Subgradient, Proximal:
	default:
		return fmt.Errorf("l1 mode: %q is not one of subgradient, proximal", c.L1Mode)
	}
	switch c.L1Step {
	case "", Uniform:
	case Coordinate:
		if r.rates == nil {
			return fmt.Errorf("l1 step: rule %s has one learning rate for all coordinates of a tensor, or none that L1 could follow", r.Name)
		}
	default:
		return fmt.Errorf("l1 step: %q is not one of uniform, coordinate", c.L1Step)
	}
	switch c.DecayMode {
	case "", Decoupled, Absolute, Coupled:
	default:
		return fmt.Errorf("decay mode: %q is not one of decoupled, absolute, coupled", c.DecayMode)
	}
	if r.decay == within && (c.DecayMode == Absolute || c.DecayMode == Coupled) {
		return fmt.Errorf("decay mode: %s is not for rule %s, in which decay is part of the step", c.DecayMode, r.Name)
	}
	if err := c.Groups.Check(); err != nil {
		return err
	}
	if !(c.LayerDecay >= 0 && c.LayerDecay <= 1) {
		return fmt.Errorf("layer decay: %g is not in (0, 1]", c.LayerDecay)
	}
	return nil
}
