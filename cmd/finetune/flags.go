package main

import (
	"strings"

	"github.com/spf13/pflag"

	"finetune/optim"
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
	switch {
	case strings.Contains(e.what, "selector"):
		e.hints = []string{"`finetune help selectors` tells how parameters are chosen"}
	case strings.HasPrefix(strings.TrimPrefix(e.what, "--"), "sparsity") && strings.Contains(e.what, " not "):
		e.hints = []string{"it is a share of the weights: 0.9 is nine of ten"}
	}
	return e
}
