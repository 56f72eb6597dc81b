package optim

import (
	"fmt"
	"strings"
)

// L1Mode says how an L1 penalty acts.
type L1Mode string

// The ways of L1. The empty mode is Subgradient.
const (
	Subgradient L1Mode = "subgradient" // g += λ·sign(w): weights hover around zero
	Proximal    L1Mode = "proximal"    // w = sign(w)·max(|w| − ηλ, 0): exact zeros
)

// DecayMode says what weight decay is measured by.
type DecayMode string

// The ways of weight decay. The empty mode is Decoupled.
const (
	Decoupled DecayMode = "decoupled" // w *= 1 − ηλ: follows the learning rate
	Absolute  DecayMode = "absolute"  // w *= 1 − λ: the same at every step
)

// Config says how parameters are trained. Each field is a list of settings, the
// last match wins; a parameter that none matches gets the rule's default, which
// is PyTorch's. Values are checked when they are resolved, NaN included, and a
// field that the rule does not use must be empty.
type Config struct {
	Rule string // "sgd", "adam" or "adamw"

	LR          Settings // learning rate, [0, inf); default 1e-3
	Momentum    Settings // sgd, [0, 1); default 0
	Dampening   Settings // sgd, share of the gradient kept out of the momentum, [0, 1]; default 0
	Nesterov    Settings // sgd, 1 looks ahead along the momentum, 0 does not; default 0
	Beta1       Settings // adam, adamw: memory of the mean gradient, [0, 1); default 0.9
	Beta2       Settings // adam, adamw: memory of the mean square, [0, 1); default 0.999
	Eps         Settings // adam, adamw: keeps the quotient finite, [0, inf); default 1e-8
	L1          Settings // λ₁ of λ₁|w|, [0, inf); default 0
	L2          Settings // λ₂ of λ₂/2·w², in the gradient, [0, inf); default 0
	WeightDecay Settings // λ beside the gradient, [0, inf), absolute [0, 1]; default 0, adamw 0.01

	L1Mode    L1Mode
	DecayMode DecayMode
}

// Default is the configuration that leaves everything as PyTorch has it, except
// that the weight decay of adamw spares what is not [Param.Decayed].
func Default(rule string) Config {
	return Config{Rule: rule, L1Mode: Subgradient, DecayMode: Decoupled}
}

// Hyper holds the hyperparameters of one parameter. Those its rule does not use
// are zero.
type Hyper struct {
	LR                  float64
	Momentum, Dampening float64
	Nesterov            float64 // 1 or 0
	Beta1, Beta2, Eps   float64
	L1, L2, WeightDecay float64
}

// field is one line of Config: where its settings are, what they may be, what
// parameters it is for, and where the value goes.
type field struct {
	name     string
	settings Settings
	span     span
	in       scope
	value    func(*Hyper) *float64
}

// fields lists what the rule uses, in the order in which it is explained.
func (c Config) fields(r *rule) ([]field, error) {
	decay := nonNegative
	if c.DecayMode == Absolute {
		decay = fraction
	}
	all := []field{
		{"lr", c.LR, nonNegative, everywhere, func(h *Hyper) *float64 { return &h.LR }},
		{"momentum", c.Momentum, belowOne, everywhere, func(h *Hyper) *float64 { return &h.Momentum }},
		{"dampening", c.Dampening, fraction, everywhere, func(h *Hyper) *float64 { return &h.Dampening }},
		{"nesterov", c.Nesterov, fraction, everywhere, func(h *Hyper) *float64 { return &h.Nesterov }},
		{"beta1", c.Beta1, belowOne, everywhere, func(h *Hyper) *float64 { return &h.Beta1 }},
		{"beta2", c.Beta2, belowOne, everywhere, func(h *Hyper) *float64 { return &h.Beta2 }},
		{"eps", c.Eps, nonNegative, everywhere, func(h *Hyper) *float64 { return &h.Eps }},
		{"l1", c.L1, nonNegative, decayedOnly, func(h *Hyper) *float64 { return &h.L1 }},
		{"l2", c.L2, nonNegative, decayedOnly, func(h *Hyper) *float64 { return &h.L2 }},
		{"weight-decay", c.WeightDecay, decay, decayedOnly, func(h *Hyper) *float64 { return &h.WeightDecay }},
	}
	var used []field
	for _, f := range all {
		switch {
		case r.uses(f.name):
			used = append(used, f)
		case len(f.settings) > 0:
			return nil, fmt.Errorf("%s: rule %s has none; %s", f.name, r.Name, whoUses(f.name))
		}
	}
	return used, nil
}

func whoUses(field string) string {
	var names []string
	for i := range rules {
		if rules[i].uses(field) {
			names = append(names, rules[i].Name)
		}
	}
	return "it belongs to " + strings.Join(names, ", ")
}

// checkModes reports a mode that does not exist.
func (c Config) checkModes() error {
	switch c.L1Mode {
	case "", Subgradient, Proximal:
	default:
		return fmt.Errorf("l1 mode: %q is not one of subgradient, proximal", c.L1Mode)
	}
	switch c.DecayMode {
	case "", Decoupled, Absolute:
	default:
		return fmt.Errorf("decay mode: %q is not one of decoupled, absolute", c.DecayMode)
	}
	return nil
}
