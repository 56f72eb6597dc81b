package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
	"finetune/train/data"
)

// dataFlags say where examples come from and what the model wants to see.
type dataFlags struct {
	path       string
	label      string
	labels     string
	drop       []string
	classes    []string
	regression bool
	scale      float64
	mean, std  []float64
	nhwc       bool
}

func (f *dataFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&f.path, "data", "d", "", "examples: a `PATH` to a folder of images with a folder per class, idx (MNIST) or\nCIFAR-10 files, a .csv or .tsv table, or .npy/.npz arrays")
	flags.StringVar(&f.label, "label", "", "`COLUMN` of a table, or array of an .npz file, to learn; default the last column")
	flags.StringVar(&f.labels, "labels", "", "`FILE` with the labels of an idx or .npy file")
	flags.StringSliceVar(&f.drop, "drop", nil, "`COLUMNS` of a table that are neither input nor target")
	flags.StringSliceVar(&f.classes, "classes", nil, "`NAMES` of the classes in the order of the model's outputs; default sorted")
	flags.BoolVar(&f.regression, "regression", false, "whole-number targets are values, not classes")
	flags.Float64Var(&f.scale, "scale", 1, "multiply inputs by `X` first: 0.00392157 (1/255) brings pixels to 0…1")
	flags.Float64SliceVar(&f.mean, "mean", nil, "then subtract `X`, or one X per channel")
	flags.Float64SliceVar(&f.std, "std", nil, "then divide by `X`, or one X per channel")
	flags.BoolVar(&f.nhwc, "nhwc", false, "the model takes images as height, width, channels")
}

// open reads path as examples for m. split is "train" or "test" for data that
// comes in two halves.
func (f *dataFlags) open(m *onnxload.Model, path, split string) (data.Source, error) {
	opt := data.Options{
		Split: split, Label: f.label, Labels: f.labels, Drop: f.drop, Classes: f.classes, Regression: f.regression,
	}
	for _, in := range m.Inputs {
		opt.Inputs = append(opt.Inputs, in.Name)
	}
	if len(m.Inputs) == 1 {
		opt.Inputs = nil
		opt.Size, opt.Channels = f.imageShape(m.Inputs[0])
	}
	return data.Open(path, opt)
}

// imageShape is what a folder's images are scaled to: the input's height, width
// and channels, zero where it does not take images or leaves them open.
func (f *dataFlags) imageShape(in onnxload.Value) (size [2]int, channels int) {
	if in.Rank != 4 {
		return size, 0
	}
	d := []int{max(in.Dims[1].Size, 0), max(in.Dims[2].Size, 0), max(in.Dims[3].Size, 0)}
	if f.nhwc {
		d = []int{d[2], d[0], d[1]}
	}
	if d[1] > 0 && d[2] > 0 {
		size = [2]int{d[1], d[2]}
	}
	if d[0] == 1 || d[0] == 3 {
		channels = d[0]
	}
	return size, channels
}

// load prepares examples for the model's inputs.
func (f *dataFlags) load(m *onnxload.Model, src data.Source) (*data.Loader, error) {
	opt := data.LoaderOptions{Scale: f.scale, Mean: f.mean, Std: f.std, NHWC: f.nhwc}
	for _, field := range src.Inputs() {
		opt.Integer = append(opt.Integer, takesIntegers(m, field.Name))
	}
	return data.NewLoader(src, opt)
}

func takesIntegers(m *onnxload.Model, name string) bool {
	for _, in := range m.Inputs {
		if len(m.Inputs) == 1 || in.Name == name {
			return strings.Contains(string(in.DType), "int")
		}
	}
	return false
}

// wanted complains if there is no --data.
func (f *dataFlags) wanted(verb string) error {
	if f.path == "" {
		return &usageError{what: "no data given", hints: []string{
			"add `--data PATH`: a folder of images, idx or CIFAR files, a table, or arrays",
			fmt.Sprintf("`finetune help %s` tells more", verb),
		}}
	}
	return nil
}

// selectFlags say which parameters are trained.
type selectFlags struct {
	train, freeze []string
}

func (f *selectFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.train, "train", nil, "train only what `SELECTOR` matches (see `finetune help selectors`)")
	flags.StringArrayVar(&f.freeze, "freeze", nil, "leave what `SELECTOR` matches as it is")
}

// apply sets Param.Trainable.
func (f *selectFlags) apply(params []*optim.Param) error {
	for _, list := range []struct {
		flag  string
		texts []string
		set   func(p *optim.Param, matches bool)
	}{
		{"train", f.train, func(p *optim.Param, matches bool) { p.Trainable = matches && p.Role != optim.Running }},
		{"freeze", f.freeze, func(p *optim.Param, matches bool) { p.Trainable = p.Trainable && !matches }},
	} {
		var selectors []optim.Selector
		for _, text := range list.texts {
			s, err := optim.ParseSelector(text)
			if err == nil {
				err = s.Check(params)
			}
			if err != nil {
				return usageOf("--"+list.flag, err)
			}
			selectors = append(selectors, s)
		}
		if len(selectors) == 0 {
			continue
		}
		for _, p := range params {
			list.set(p, slices.ContainsFunc(selectors, func(s optim.Selector) bool { return s.Match(p) }))
		}
	}
	return nil
}

// optimFlags say how parameters are updated and regularised.
type optimFlags struct {
	rule                    string
	lr, momentum, dampening []string
	beta1, beta2, eps       []string
	l1, l2, weightDecay     []string
	nesterov                bool
	l1Mode, decayMode       string
	schedule                string
	warmup                  float64
	clipNorm, clipValue     float64
}

func (f *optimFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.rule, "optimizer", "adamw", "`RULE` of the update: sgd, adam or adamw; defaults are PyTorch's")
	flags.StringArrayVar(&f.lr, "lr", nil, "learning rate, `VALUE` or SELECTOR=VALUE; default 1e-3")
	flags.StringArrayVar(&f.l1, "l1", nil, "L1 penalty of weights, `VALUE` or SELECTOR=VALUE")
	flags.StringVar(&f.l1Mode, "l1-mode", string(optim.Subgradient), "`HOW` L1 acts: subgradient (sign(w) on the gradient) or proximal (exact zeros)")
	flags.StringArrayVar(&f.l2, "l2", nil, "L2 penalty of weights in the gradient, `VALUE` or SELECTOR=VALUE")
	flags.StringArrayVar(&f.weightDecay, "weight-decay", nil, "decay of weights beside the gradient, `VALUE` or SELECTOR=VALUE;\ndefault 0.01 with adamw")
	flags.StringVar(&f.decayMode, "decay-mode", string(optim.Decoupled), "`HOW` decay acts: decoupled (times the learning rate) or absolute")
	flags.StringArrayVar(&f.momentum, "momentum", nil, "momentum of sgd, `VALUE` or SELECTOR=VALUE")
	flags.StringArrayVar(&f.dampening, "dampening", nil, "dampening of sgd's momentum, `VALUE` or SELECTOR=VALUE")
	flags.BoolVar(&f.nesterov, "nesterov", false, "Nesterov's momentum with sgd")
	flags.StringArrayVar(&f.beta1, "beta1", nil, "memory of adam's mean gradient, `VALUE` or SELECTOR=VALUE")
	flags.StringArrayVar(&f.beta2, "beta2", nil, "memory of adam's mean square, `VALUE` or SELECTOR=VALUE")
	flags.StringArrayVar(&f.eps, "eps", nil, "what adam adds to the root, `VALUE` or SELECTOR=VALUE")
	flags.StringVar(&f.schedule, "schedule", "cosine", "`COURSE` of the learning rate: constant, linear or cosine, to zero")
	flags.Float64Var(&f.warmup, "warmup", 0, "climb to the learning rate for `N` steps, or a share of the run below 1")
	flags.Float64Var(&f.clipNorm, "clip-norm", 0, "limit the norm of all gradients together to `X`")
	flags.Float64Var(&f.clipValue, "clip-value", 0, "limit every gradient to ±`X`")
}

// config reads the settings.
func (f *optimFlags) config() (optim.Config, error) {
	cfg := optim.Default(f.rule)
	cfg.L1Mode, cfg.DecayMode = optim.L1Mode(f.l1Mode), optim.DecayMode(f.decayMode)
	for _, s := range []struct {
		flag  string
		texts []string
		to    *optim.Settings
	}{
		{"lr", f.lr, &cfg.LR}, {"momentum", f.momentum, &cfg.Momentum}, {"dampening", f.dampening, &cfg.Dampening},
		{"beta1", f.beta1, &cfg.Beta1}, {"beta2", f.beta2, &cfg.Beta2}, {"eps", f.eps, &cfg.Eps},
		{"l1", f.l1, &cfg.L1}, {"l2", f.l2, &cfg.L2}, {"weight-decay", f.weightDecay, &cfg.WeightDecay},
	} {
		list, err := optim.ParseSettings(s.texts...)
		if err != nil {
			return cfg, usageOf("--"+s.flag, err)
		}
		*s.to = list
	}
	if f.nesterov {
		cfg.Nesterov = optim.Set(1)
	}
	return cfg, nil
}

// pruneFlags say what is set to zero.
type pruneFlags struct {
	sparsity, threshold []string
	global              bool
}

func (f *pruneFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.sparsity, "sparsity", nil, "share of weights to set to zero, smallest first, `VALUE` or SELECTOR=VALUE (0 to 1)")
	flags.BoolVar(&f.global, "global", false, "rank the weights of all layers together, instead of each layer by itself")
	flags.StringArrayVar(&f.threshold, "prune-threshold", nil, "set weights below `VALUE` to zero, also SELECTOR=VALUE")
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
		return nil, usageOf("pruning", err)
	}
	return pruner, nil
}

// config reads the settings into p.
func (f *pruneFlags) config(p *train.Pruning) error {
	var err error
	if p.Sparsity, err = optim.ParseSettings(f.sparsity...); err != nil {
		return usageOf("--sparsity", err)
	}
	if p.Threshold, err = optim.ParseSettings(f.threshold...); err != nil {
		return usageOf("--prune-threshold", err)
	}
	p.Global = f.global
	return nil
}

// usageOf makes a mistake in the value of a flag a usage error.
func usageOf(flag string, err error) error {
	return &usageError{what: fmt.Sprintf("%s: %v", flag, err), hints: []string{"`finetune help selectors` tells how parameters are chosen"}}
}

// oneModel is the only argument of most verbs.
func oneModel(verb string, args []string) (string, error) {
	switch len(args) {
	case 1:
		return args[0], nil
	case 0:
		return "", &usageError{what: "no model given", hints: []string{fmt.Sprintf("usage: finetune %s MODEL.onnx …", verb)}}
	default:
		return "", &usageError{what: fmt.Sprintf("one model is wanted, not %d: %q", len(args), args)}
	}
}

func noArguments(verb string, args []string) error {
	if len(args) > 0 {
		return &usageError{what: fmt.Sprintf("%s takes no arguments, not %q", verb, args)}
	}
	return nil
}
