package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"finetune/optim"
	"finetune/train"
)

// selectFlags say which parameters are trained.
type selectFlags struct {
	train, freeze []string
}

func (f *selectFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.train, "train", nil, "`SELECTOR`: train only what it matches")
	flags.StringArrayVar(&f.freeze, "freeze", nil, "`SELECTOR`: leave what it matches as it is")
	heading(flags, "Training")
}

// apply sets Param.Trainable and says why, by parameter.
func (f *selectFlags) apply(params []*optim.Param) (why []string, err error) {
	only, err := parseSelectors("--train", f.train, params)
	if err != nil {
		return nil, err
	}
	frozen, err := parseSelectors("--freeze", f.freeze, params)
	if err != nil {
		return nil, err
	}
	left := false
	for _, p := range params {
		chosen, freezes := firstMatch(only, p), firstMatch(frozen, p)
		reason := "default"
		switch {
		case !p.Trainable:
			reason = "role " + string(p.Role)
		case len(only) > 0 && chosen == "":
			p.Trainable, reason = false, "not in --train"
		case freezes != "":
			p.Trainable, reason = false, "--freeze "+freezes
		case chosen != "":
			reason = "--train " + chosen
		}
		why = append(why, reason)
		left = left || p.Trainable
	}
	if !left && len(f.train)+len(f.freeze) > 0 {
		return nil, &usageError{what: "--train and --freeze leave no parameter to train", hints: []string{
			"`finetune params MODEL` lists them; running statistics and constants are never trained",
		}}
	}
	return why, nil
}

func parseSelectors(flag string, texts []string, params []*optim.Param) ([]optim.Selector, error) {
	var list []optim.Selector
	for _, text := range texts {
		s, err := optim.ParseSelector(text)
		if err == nil {
			err = s.Check(params)
		}
		if err != nil {
			return nil, usageOf(flag, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// firstMatch is the text of the first selector that matches p, or "".
func firstMatch(selectors []optim.Selector, p *optim.Param) string {
	for _, s := range selectors {
		if s.Match(p) {
			return s.String()
		}
	}
	return ""
}

// optimFlags say how parameters are updated and regularised.
type optimFlags struct {
	rule                    string
	lr, momentum, dampening []string
	beta1, beta2, eps       []string
	l1, l2, weightDecay     []string
	nesterov                bool
	l1Mode, decayMode       string
}

func (f *optimFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.rule, "optimizer", "adamw", "`RULE` of the update: sgd, adam or adamw, with PyTorch's defaults")
	flags.StringArrayVar(&f.lr, "lr", nil, "`VALUE`: learning rate")
	showDefault(flags, "lr", "0.001, with --sparsity 0.002, of sgd 0.001")
	flags.StringArrayVar(&f.momentum, "momentum", nil, "`VALUE`: momentum of sgd")
	flags.StringArrayVar(&f.dampening, "dampening", nil, "`VALUE`: dampening of sgd's momentum")
	flags.BoolVar(&f.nesterov, "nesterov", false, "Nesterov's momentum with sgd")
	flags.StringArrayVar(&f.beta1, "beta1", nil, "`VALUE`: memory of adam's mean gradient")
	showDefault(flags, "beta1", "0.9")
	flags.StringArrayVar(&f.beta2, "beta2", nil, "`VALUE`: memory of adam's mean square")
	showDefault(flags, "beta2", "0.999")
	flags.StringArrayVar(&f.eps, "eps", nil, "`VALUE`: what adam adds to the root")
	showDefault(flags, "eps", "1e-8")
	heading(flags, "Training")
	flags.StringArrayVar(&f.l1, "l1", nil, "`VALUE`: L1 penalty of weights, λ of Σ λ|w|")
	flags.StringVar(&f.l1Mode, "l1-mode", string(optim.Subgradient), "`HOW` L1 acts: subgradient (sign(w) on the gradient) or proximal (exact zeros)")
	flags.StringArrayVar(&f.l2, "l2", nil, "`VALUE`: L2 penalty of weights, λ of Σ λ/2·w²")
	flags.StringArrayVar(&f.weightDecay, "weight-decay", nil, "`VALUE`: decay of weights beside the gradient")
	showDefault(flags, "weight-decay", "0.01 with adamw")
	flags.StringVar(&f.decayMode, "decay-mode", string(optim.Decoupled), "`HOW` decay acts: decoupled (times the learning rate) or absolute")
	heading(flags, "Regularisation")
}

// config reads the settings.
func (f *optimFlags) config() (optim.Config, error) {
	cfg := optim.Default(f.rule)
	var rules []string
	for _, r := range optim.Rules() {
		rules = append(rules, r.Name)
	}
	if !slices.Contains(rules, f.rule) {
		return cfg, &usageError{what: fmt.Sprintf("--optimizer is %q, want %s", f.rule, strings.Join(rules, ", "))}
	}
	cfg.L1Mode, cfg.DecayMode = optim.L1Mode(f.l1Mode), optim.DecayMode(f.decayMode)
	if f.nesterov {
		cfg.Nesterov = optim.Set(1)
	}
	err := parseSettings(
		setting{"lr", f.lr, &cfg.LR}, setting{"momentum", f.momentum, &cfg.Momentum},
		setting{"dampening", f.dampening, &cfg.Dampening}, setting{"beta1", f.beta1, &cfg.Beta1},
		setting{"beta2", f.beta2, &cfg.Beta2}, setting{"eps", f.eps, &cfg.Eps},
		setting{"l1", f.l1, &cfg.L1}, setting{"l2", f.l2, &cfg.L2},
		setting{"weight-decay", f.weightDecay, &cfg.WeightDecay},
	)
	return cfg, err
}

// plans works out what the flags, and those of pruning, do to each parameter.
func (f *optimFlags) plans(params []*optim.Param, pruning *pruneFlags) ([]optim.Plan, error) {
	cfg := train.DefaultConfig()
	var err error
	if cfg.Optim, err = f.config(); err != nil {
		return nil, err
	}
	if err := pruning.config(&cfg.Prune); err != nil {
		return nil, err
	}
	plans, err := optim.Resolve(params, cfg.Update())
	if err != nil {
		return nil, usageOf("", err)
	}
	implied := len(cfg.Update().LR) > len(cfg.Optim.LR)
	for _, plan := range plans {
		for i, why := range plan.Why {
			if implied && why.Field == "lr" && why.From == optim.Set(train.PruningLR)[0].String() {
				plan.Why[i].From = "default with --sparsity"
			}
		}
	}
	return plans, nil
}

// pruneFlags say what is set to zero.
type pruneFlags struct {
	sparsity, threshold []string
	global              bool
}

func (f *pruneFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.sparsity, "sparsity", nil, "`VALUE`: set this share of the weights to zero, smallest first (0 to 1)")
	flags.BoolVar(&f.global, "global", false, "rank the weights of all layers together, instead of each layer by itself")
	flags.StringArrayVar(&f.threshold, "prune-threshold", nil, "`VALUE`: set weights below it to zero")
	heading(flags, "Pruning")
}

// config reads the settings into p.
func (f *pruneFlags) config(p *train.Pruning) error {
	p.Global = f.global
	return parseSettings(setting{"sparsity", f.sparsity, &p.Sparsity}, setting{"prune-threshold", f.threshold, &p.Threshold})
}

// pruner prunes params at once, as the flags say.
func (f *pruneFlags) pruner(params []*optim.Param) (*optim.Pruner, error) {
	var p train.Pruning
	if err := f.config(&p); err != nil {
		return nil, err
	}
	pruner, err := optim.NewPruner(params, optim.Pruning{
		Sparsity: p.Sparsity, Threshold: p.Threshold, Global: p.Global, Floor: optim.DefaultFloor,
	})
	if err != nil {
		return nil, usageOf("", err)
	}
	return pruner, nil
}

// setting is a flag that takes VALUE or SELECTOR=VALUE, as often as needed.
type setting struct {
	flag  string
	texts []string
	to    *optim.Settings
}

func parseSettings(list ...setting) error {
	for _, s := range list {
		parsed, err := optim.ParseSettings(s.texts...)
		if err != nil {
			return usageOf("--"+s.flag, err)
		}
		*s.to = parsed
	}
	return nil
}

// usageOf makes a mistake in the value of a flag a usage error. Without a flag
// the error says itself what it is about.
func usageOf(flag string, err error) error {
	e := &usageError{what: err.Error()}
	if flag != "" {
		e.what = flag + ": " + e.what
	}
	if strings.Contains(e.what, "selector") {
		e.hints = []string{"`finetune help selectors` tells how parameters are chosen"}
	}
	return e
}
