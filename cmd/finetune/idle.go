package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"finetune/optim"
)

// idle lists flags that do nothing unless one of some others is given, or given a
// certain value.
var idle = []struct{ flags, without string }{
	{"l1-mode", "l1 l1-sp"},
	{"l1-step", "l1-mode=proximal"},
	{"groups", "group-lasso"},
	{"average-decay", "average=ema"},
	{"average-every", "average=swa"},
	{"average-from", "average"},
	{"prune-score prune-pattern global erdos-renyi prune-begin prune-end prune-every prune-schedule", "sparsity"},
	{"global-floor", "global"},
	{"prune-examples", "prune-score=snip prune-score=wanda"},
	{"regrow-fraction", "regrow"},
	{"dense-first dense-last", "sparsity prune-threshold prune-deviations"},
}

// warnIdle tells of flags that were given and do nothing. Who gives one thinks that
// it does.
func (c *console) warnIdle(flags *pflag.FlagSet) {
	for _, entry := range idle {
		needs := strings.Fields(entry.without)
		known := func(need string) bool { return flags.Lookup(flagOf(need)) != nil }
		if !slices.ContainsFunc(needs, known) || slices.ContainsFunc(needs, func(need string) bool { return has(flags, need) }) {
			continue
		}
		for _, name := range strings.Fields(entry.flags) {
			if given(flags.Lookup(name)) {
				c.warnf("--%s does nothing without --%s", name, strings.ReplaceAll(strings.Join(needs, " or --"), "=", " "))
			}
		}
	}
}

// flagOf is the flag that a need is about.
func flagOf(need string) string {
	name, _, _ := strings.Cut(need, "=")
	return name
}

// has reports whether a flag is given, or has the value behind "=". A pattern such
// as 2:4 gives a sparsity.
func has(flags *pflag.FlagSet, need string) bool {
	name, value, valued := strings.Cut(need, "=")
	f := flags.Lookup(name)
	switch {
	case f != nil && valued:
		return f.Value.String() == value
	case name == "sparsity" && optim.Pattern(flags.Lookup("prune-pattern").Value.String()).Sparsity() > 0:
		return true
	}
	return given(f)
}

// given reports whether f has another value than without it.
func given(f *pflag.Flag) bool { return f != nil && f.Changed && f.Value.String() != f.DefValue }

// warnUnreached tells of settings that no parameter gets, as where all that they are
// for is frozen.
func (c *console) warnUnreached(plans []optim.Plan, pruned []optim.PrunePlan) {
	reached := map[string]bool{}
	for _, plan := range plans {
		for _, why := range plan.Why {
			reached[why.Field] = reached[why.Field] || why.From != "default"
		}
	}
	for _, plan := range pruned {
		for _, why := range plan.Why {
			reached[why.Field] = reached[why.Field] || why.Value > 0
		}
	}
	names := []string{"sparsity", "prune-threshold", "prune-deviations"}
	for _, f := range optim.Fields() {
		names = append(names, f.Name)
	}
	for _, name := range names {
		if f := c.flags.Lookup(name); given(f) && !reached[name] {
			c.warnf("--%s does nothing: it is for no parameter that is trained; `finetune params --why` shows what is", name)
		}
	}
}
