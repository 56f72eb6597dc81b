package optim

import (
	"math"
	"slices"
)

// Field describes a hyperparameter, for flags and help texts.
type Field struct {
	Name string // as in flags and messages
	Help string

	span  span
	in    scope
	place func(*Config, *Hyper) place
}

// place is where a field is.
type place struct {
	settings *Settings
	value    *float64
}

// Range says in words what values the field takes.
func (f Field) Range() string { return f.span.String() }

// Settings is where c has the field.
func (f Field) Settings(c *Config) *Settings { return f.place(c, new(Hyper)).settings }

// Value is where h has the field.
func (f Field) Value(h *Hyper) *float64 { return f.place(new(Config), h).value }

// fields lists the hyperparameters in the order in which they are explained.
var fields = []Field{
	{"lr", "learning rate", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.LR, &h.LR} }},
	{"momentum", "memory of the momentum", belowOne, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Momentum, &h.Momentum} }},
	{"dampening", "share of the gradient kept out of the momentum", fraction, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Dampening, &h.Dampening} }},
	{"nesterov", "1 looks ahead along the momentum", either, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Nesterov, &h.Nesterov} }},
	{"beta1", "memory of the mean gradient", belowOne, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Beta1, &h.Beta1} }},
	{"beta2", "memory of the mean square", belowOne, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Beta2, &h.Beta2} }},
	{"alpha", "memory of the mean square", belowOne, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Alpha, &h.Alpha} }},
	{"rho", "adadelta: memory of the mean square; sophia: size of the curvature", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Rho, &h.Rho} }},
	{"eps", "keeps quotients finite", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Eps, &h.Eps} }},
	{"centered", "1 divides by the standard deviation", either, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Centered, &h.Centered} }},
	{"momentum-decay", "how fast the momentum grows", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.MomentumDecay, &h.MomentumDecay} }},
	{"lr-decay", "lr is divided by 1 + lr-decay for each step made", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.LRDecay, &h.LRDecay} }},
	{"initial-sum", "what the sum of squares begins with", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.InitialSum, &h.InitialSum} }},
	{"eta-minus", "factor of the step where the gradient turns", insideOne, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.EtaMinus, &h.EtaMinus} }},
	{"eta-plus", "factor of the step where it does not", span{lo: 1, hi: math.MaxFloat32}, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.EtaPlus, &h.EtaPlus} }},
	{"step-min", "shortest step", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.StepMin, &h.StepMin} }},
	{"step-max", "longest step", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.StepMax, &h.StepMax} }},
	{"lambda", "decay of weights, and of lr with the steps", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Lambda, &h.Lambda} }},
	{"power", "power by which lr falls", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Power, &h.Power} }},
	{"t0", "step after which weights are averaged", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.T0, &h.T0} }},
	{"trust", "size of a step beside that of the weights", nonNegative, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Trust, &h.Trust} }},
	{"beta2-decay", "power of the steps by which new squares count", span{lo: -1, hi: 0}, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Beta2Decay, &h.Beta2Decay} }},
	{"clip-threshold", "largest root mean square of an update", positive, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.ClipThreshold, &h.ClipThreshold} }},
	{"ns-steps", "steps towards an orthogonal update; 0 is adamw", span{lo: 0, hi: 100, whole: true}, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.NSSteps, &h.NSSteps} }},
	{"iterations", "iterations for each batch", span{lo: 1, hi: 1e6, whole: true}, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.Iterations, &h.Iterations} }},
	{"history", "steps that the estimate of the curvature is made of", span{lo: 1, hi: 1e4, whole: true}, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.History, &h.History} }},
	{"line-search", "1 looks for the length of each step", either, everywhere,
		func(c *Config, h *Hyper) place { return place{&c.LineSearch, &h.LineSearch} }},
	{"l1", "L1 penalty of weights, λ of Σ λ|w|", nonNegative, decayedOnly,
		func(c *Config, h *Hyper) place { return place{&c.L1, &h.L1} }},
	{"l2", "L2 penalty of weights, λ of Σ λ/2·w²", nonNegative, decayedOnly,
		func(c *Config, h *Hyper) place { return place{&c.L2, &h.L2} }},
	{"weight-decay", "decay of weights beside the gradient", nonNegative, decayedOnly,
		func(c *Config, h *Hyper) place { return place{&c.WeightDecay, &h.WeightDecay} }},
	{"group-lasso", "group lasso of weights, λ of Σ λ√n·‖w_g‖ for groups g of n weights", nonNegative, decayedOnly,
		func(c *Config, h *Hyper) place { return place{&c.Group, &h.Group} }},
	{"l1-sp", "L1 penalty of the way from the weights at the start", nonNegative, decayedOnly,
		func(c *Config, h *Hyper) place { return place{&c.L1SP, &h.L1SP} }},
	{"l2-sp", "L2 penalty of the way from the weights at the start", nonNegative, decayedOnly,
		func(c *Config, h *Hyper) place { return place{&c.L2SP, &h.L2SP} }},
}

// common are the fields that every rule has, but for those of [Rule.Closure],
// which know no penalty that has no gradient of its own.
var (
	common          = []string{"lr", "l1", "l2", "weight-decay", "group-lasso", "l1-sp", "l2-sp"}
	commonOfClosure = []string{"lr", "l2", "weight-decay"}
)

// Fields lists every hyperparameter of any rule.
func Fields() []Field { return slices.Clone(fields) }
