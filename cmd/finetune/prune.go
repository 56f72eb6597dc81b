package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"finetune/optim"
)

var pruneVerb = verb{
	name:  "prune",
	args:  "MODEL.onnx --sparsity S | --prune-threshold T -o OUT.onnx",
	short: "set small weights to zero, once, without data",
	long: `
Sets weights to zero: the smallest, up to a share of all, or those below a
threshold. No data is needed and nothing is trained, so expect to lose accuracy;
train does the same step by step and lets the other weights make up for it.

  finetune prune model.onnx --sparsity 0.5 -o sparse.onnx
  finetune prune model.onnx --prune-threshold 1e-3 -o sparse.onnx
  finetune prune model.onnx --prune-pattern 2:4 -o sparse.onnx
  finetune prune model.onnx --sparsity 'op:Conv=0.5' --sparsity 'op:Gemm=0.9' -o sparse.onnx`,
	make: func() command { return new(pruneCommand) },
}

type pruneCommand struct {
	pruneFlags
	outputFlags
	seed uint64
}

func (p *pruneCommand) addFlags(flags *pflag.FlagSet) {
	p.pruneFlags.addFlags(flags)
	flags.Uint64Var(&p.seed, "seed", 0, "`N` decides what --prune-score random takes")
	heading(flags, "Pruning")
	p.outputFlags.addFlags(flags)
	addRecipeFlag(flags)
}

func (p *pruneCommand) run(_ context.Context, c *console, args []string) error {
	if s := optim.Score(p.score); s.NeedsData() {
		return &usageError{what: fmt.Sprintf("--prune-score %s needs examples, and prune has none", s), hints: []string{"`finetune train` prunes by it"}}
	}
	if p.none() {
		return &usageError{what: "nothing to prune by", hints: []string{"add `--sparsity 0.5` or `--prune-threshold 1e-3`"}}
	}
	m, err := c.model(args)
	if err != nil {
		return err
	}
	if err := p.outputFlags.check(m.Path); err != nil {
		return err
	}
	pruner, err := p.pruner(m.Params, p.seed)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(pruner.Plans(), optim.PrunePlan.Prunes) {
		return withHint(errors.New("there is nothing to prune: the flags come to zero for every parameter"),
			"`finetune params MODEL --why`, with the same flags, shows what they do to each")
	}
	if err := pruner.Step(0); err != nil {
		return err
	}
	return p.write(c, m, nil, provenance(m, c.flags))
}
