package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"finetune/optim"
	"finetune/train"
)

// optimFlags say how parameters are updated and regularised.
type optimFlags struct {
	rule       string
	settings   map[string]*[]string // by field; the others are set with the rule only
	nesterov   bool
	l1Mode     string
	l1Step     string
	decayMode  string
	groups     string
	layerDecay float64
}

func (f *optimFlags) addFlags(flags *pflag.FlagSet) {
	f.settings = map[string]*[]string{}
	value := func(field, usage, standard string) {
		f.settings[field] = new([]string)
		flags.StringArrayVar(f.settings[field], field, nil, "`VALUE`: "+usage)
		if standard != "" {
			showDefault(flags, field, standard)
		}
	}
	flags.StringVar(&f.rule, "optimizer", "adamw", "`RULE` of the update, or RULE:KEY=VALUE,…: see `finetune help optimizers`")
	value("lr", "learning rate", "that of the rule, 0.001 with adamw; with --sparsity it grows as weights go")
	flags.Float64Var(&f.layerDecay, "layer-decay", 1, "multiply learning rates by `X` for each layer before the last")
	value("momentum", "momentum, of rules that have one", "")
	value("dampening", "dampening of sgd's momentum", "")
	flags.BoolVar(&f.nesterov, "nesterov", false, "Nesterov's momentum with sgd")
	value("beta1", "memory of the mean gradient", "that of the rule, 0.9 with adamw")
	value("beta2", "memory of the mean square", "that of the rule, 0.999 with adamw")
	value("eps", "what is added to quotients", "that of the rule, 1e-8 with adamw")
	heading(flags, "Training")
	value("l1", "L1 penalty of weights, λ of Σ λ|w|", "")
	flags.StringVar(&f.l1Mode, "l1-mode", string(optim.Subgradient), "`HOW` L1 acts: subgradient (sign(w) on the gradient) or proximal (exact zeros)")
	flags.StringVar(&f.l1Step, "l1-step", string(optim.Uniform), "`HOW` far proximal L1 goes: uniform (lr times λ) or coordinate (the rule's own rate of each weight, with adam and its like)")
	value("l2", "L2 penalty of weights, λ of Σ λ/2·w²; with l1, an elastic net", "")
	value("weight-decay", "decay of weights beside the gradient", "that of the rule, 0.01 with adamw")
	flags.StringVar(&f.decayMode, "decay-mode", string(optim.Decoupled), "`HOW` decay acts: decoupled (times the learning rate), absolute, or coupled (through the gradient)")
	value("group-lasso", "penalty of whole groups of n weights, λ of Σ λ√n·‖w‖: they become zero together", "")
	flags.StringVar(&f.groups, "groups", "filters", "`WHAT` is a group: filters, rows, columns, or blocks such as 4x1")
	value("l1-sp", "L1 penalty of how far weights are from where they started", "")
	value("l2-sp", "L2 penalty of the same", "")
	heading(flags, "Regularisation")
}

// config reads the settings.
func (f *optimFlags) config() (optim.Config, error) {
	name, keys, _ := strings.Cut(f.rule, ":")
	cfg := optim.Default(name)
	var names []string
	for _, r := range optim.Rules() {
		names = append(names, r.Name)
	}
	if !slices.Contains(names, name) {
		e := &usageError{what: fmt.Sprintf("--optimizer is %q, want %s", name, strings.Join(names, ", "))}
		e.hints = didYouMean(name, names)
		return cfg, e
	}
	cfg.L1Mode, cfg.L1Step, cfg.DecayMode = optim.L1Mode(f.l1Mode), optim.L1Step(f.l1Step), optim.DecayMode(f.decayMode)
	cfg.Groups, cfg.LayerDecay = optim.Grouping(f.groups), f.layerDecay
	if err := ofRule(&cfg, name, keys); err != nil {
		return cfg, err
	}
	if f.layerDecay == 0 { // which would be the default
		return cfg, &usageError{what: "--layer-decay: 0 is not in (0, 1]"}
	}
	if f.nesterov {
		cfg.Nesterov = optim.Set(1)
	}
	for _, field := range optim.Fields() {
		texts := f.settings[field.Name]
		if texts == nil {
			continue
		}
		list, err := optim.ParseSettings(*texts...)
		if err != nil {
			return cfg, usageOf("--"+field.Name, err)
		}
		to := field.Settings(&cfg)
		*to = append(*to, list...)
	}
	return cfg, checkAbsolute(cfg)
}

// checkAbsolute wants to be told how much absolute decay takes: the default of a
// rule is meant to be multiplied by a learning rate.
func checkAbsolute(cfg optim.Config) error {
	for _, r := range optim.Rules() {
		if decay := r.Defaults.WeightDecay; r.Name == cfg.Rule && decay > 0 && cfg.DecayMode == optim.Absolute && len(cfg.WeightDecay) == 0 {
			return &usageError{what: "--decay-mode absolute wants a --weight-decay", hints: []string{
				fmt.Sprintf("the default of %s, %g, would take %g %% of every weight at each step", r.Name, decay, 100*decay),
			}}
		}
	}
	return nil
}

// ofRule reads what stands behind the name of a rule: KEY=VALUE,….
func ofRule(cfg *optim.Config, rule, keys string) error {
	if keys == "" {
		return nil
	}
	fields := map[string]optim.Field{}
	var names []string
	for _, field := range optim.Fields() {
		fields[field.Name] = field
		names = append(names, field.Name)
	}
	for _, pair := range strings.Split(keys, ",") {
		key, value, given := strings.Cut(pair, "=")
		field, ok := fields[key]
		if !ok {
			e := &usageError{what: fmt.Sprintf("--optimizer %s: there is no %q", rule, key), hints: didYouMean(key, names)}
			e.hints = append(e.hints, "`finetune help optimizers` lists what rules have")
			return e
		}
		if !given {
			return &usageError{what: fmt.Sprintf("--optimizer %s: %s has no value, want %s=VALUE", rule, key, key)}
		}
		s, err := optim.ParseSetting(value)
		if err != nil {
			return usageOf("--optimizer "+rule+": "+key, err)
		}
		to := field.Settings(cfg)
		*to = append(*to, s)
	}
	return nil
}

// plans works out what the flags do to each parameter.
func (f *optimFlags) plans(params []*optim.Param) ([]optim.Plan, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, err
	}
	plans, err := optim.Resolve(params, cfg)
	if err != nil {
		return nil, usageOf("", err)
	}
	return plans, nil
}

// gradientFlags say what is done to gradients before an update, and to weights
// after it.
type gradientFlags struct {
	clip                      train.Clip
	centralize                bool
	average                   string
	averageDecay, averageFrom float64
	averageEvery              string
}

func (f *gradientFlags) addFlags(flags *pflag.FlagSet) {
	d := train.DefaultConfig()
	flags.Float64Var(&f.clip.Norm, "clip-norm", 0, "limit the norm of all gradients together to `X`")
	flags.Float64Var(&f.clip.Value, "clip-value", 0, "limit every gradient to ±`X`")
	flags.Float64Var(&f.clip.Adaptive, "clip-adaptive", 0, "limit the gradient of all weights of an output to `X` times these, by their norms")
	flags.BoolVar(&f.centralize, "centralize", false, "take the mean out of the gradient of all weights of an output")
	flags.StringVar(&f.average, "average", "", "`HOW` weights are averaged over the steps: ema (exponential) or swa (equal shares); the mean is measured and written")
	flags.Float64Var(&f.averageDecay, "average-decay", d.Average.Decay, "memory of ema, `X` below 1")
	flags.Float64Var(&f.averageFrom, "average-from", d.Average.From, "average after this `SHARE` of the run")
	flags.StringVar(&f.averageEvery, "average-every", "1ep", "swa takes the weights at the end of each `LENGTH`: steps, or epochs such as 1ep")
	heading(flags, "Training")
}

func (f *gradientFlags) config(cfg *train.Config) {
	cfg.Clip, cfg.Centralize = f.clip, f.centralize
	cfg.Average = train.Average{Kind: optim.AverageKind(f.average), Decay: f.averageDecay, From: f.averageFrom, Every: f.averageEvery}
}

// optimizerHelp is the page of `finetune help optimizers`.
func optimizerHelp() string {
	var b strings.Builder
	b.WriteString(`Rules turn gradients into steps. --optimizer takes the name of one, and what it
has, where that is not the default: --optimizer rmsprop:alpha=0.9,momentum=0.9.
What has a flag of its own, such as --lr or --beta1, can be set by that too, and
there with selectors. Defaults are PyTorch's, or the paper's.

`)
	for _, r := range optim.Rules() {
		list := []string{fmt.Sprintf("lr %g", r.Defaults.LR)}
		for _, f := range optim.Fields() {
			if slices.Contains(r.Fields, f.Name) {
				list = append(list, fmt.Sprintf("%s %g", f.Name, *f.Value(&r.Defaults)))
			}
		}
		if wd := r.Defaults.WeightDecay; wd != 0 {
			list = append(list, fmt.Sprintf("weight-decay %g", wd))
		}
		entry(&b, r.Name, r.Summary)
		entry(&b, "", strings.Join(list, ", "))
	}
	b.WriteString("\nWhat rules have, and what it may be:\n\n")
	for _, f := range optim.Fields() {
		entry(&b, f.Name, f.Help+", "+f.Range())
	}
	b.WriteString(`
A step: gradients are clipped and centralised; L2, L1 and the penalties of the
way from the start join them; then the rule, decay, proximal L1, the mask of
what is pruned, group lasso. With lamb and lars, decay is part of the rule; with
adamw, adafactor, lion, muon and sophia it comes before.

Proximal L1 takes lr·λ from the size of each weight in a step, group lasso from
the root mean square of each group. There are zeros once that adds up to the
size of weights: 1,000 steps with lr 1e-3 and λ 0.05 take up to 0.05.
`)
	return b.String()
}

// entry is a name and what there is to say about it, in a column.
func entry(b *strings.Builder, name, text string) {
	const column = 18
	for i, line := range wrap(text, pageWidth-column) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(b, "  %-*s%s\n", column-2, name, line)
	}
}

const scheduleHelp = `Schedules say how a value changes in the course of a run. --schedule is that of
the learning rates; any other value has its own behind an @, and so may learning
rates: --l1 1e-4@linear:from=0,to=1. A schedule is a factor of the value.

  constant
  linear:from=1,to=0
  step:every=1ep,gamma=0.1            times gamma after every so many steps
  multistep:at=0.5+0.75,gamma=0.1     times gamma at these steps
  exponential:every=1ep,gamma=0.9     the same as step, a little at each step
  polynomial:power=2,floor=0
  cubic:floor=0                       the same of power 3
  cosine:floor=0,cycles=1,stretch=1   restarts, each stretch times as long
  onecycle:peak=0.3,start=0.04,end=4e-6
  inverse-root:scale=0                with warmup=N, Noam's
  stable:decay=0.2,floor=0            constant, and linear at the end
  plateau:factor=0.1,patience=10,threshold=1e-4,cooldown=0,floor=0
                                      follows the loss of held-out examples, if
                                      there are any; for --schedule only

What is not given is as above. warmup=LENGTH, with any, climbs from 0 first, as
--warmup does. A length is a number of steps, a share of the run below 1, or a
number of epochs such as 2ep.
`
