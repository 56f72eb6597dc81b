package main

import (
	"github.com/spf13/pflag"

	"finetune/optim"
	"finetune/train"
)

// pruneFlags say what is set to zero.
type pruneFlags struct {
	sparsity, threshold, deviations []string
	score, pattern                  string
	global, kernel                  bool
	floor                           float64
	denseFirst, denseLast           bool
}

func (f *pruneFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.sparsity, "sparsity", nil, "`VALUE`: set this share of the weights to zero, smallest first (0 to 1)")
	flags.StringVar(&f.score, "prune-score", string(optim.Magnitude), "`WHAT` goes first: the smallest magnitude, lamp, movement, snip, wanda, or random; see `finetune help pruning`")
	flags.StringVar(&f.pattern, "prune-pattern", "", "`WHAT` goes together: 2:4 and the like, blocks such as 4x1, rows, columns, or filters")
	flags.BoolVar(&f.global, "global", false, "rank the weights of all layers together, instead of each layer by itself")
	flags.Float64Var(&f.floor, "global-floor", optim.DefaultFloor, "keep at least this `SHARE` of the density that is asked for in each layer")
	flags.BoolVar(&f.kernel, "erdos-renyi", false, "make small layers denser than large ones, by their shapes, instead of all alike")
	flags.BoolVar(&f.denseFirst, "dense-first", false, "leave the first layer alone")
	flags.BoolVar(&f.denseLast, "dense-last", false, "leave the last layer alone")
	flags.StringArrayVar(&f.threshold, "prune-threshold", nil, "`VALUE`: set weights below it to zero")
	flags.StringArrayVar(&f.deviations, "prune-deviations", nil, "`VALUE`: the same in standard deviations of the weights of each layer")
	heading(flags, "Pruning")
}

// config reads the settings into p.
func (f *pruneFlags) config(p *train.Pruning) error {
	if f.floor == 0 { // which would be the default
		return &usageError{what: "--global-floor is 0, want more than 0 and at most 1; 1e-9 keeps one weight in each layer"}
	}
	p.Global, p.Floor, p.Kernel = f.global, f.floor, f.kernel
	p.Score, p.Pattern = optim.Score(f.score), optim.Pattern(f.pattern)
	p.DenseFirst, p.DenseLast = f.denseFirst, f.denseLast
	return parseSettings(
		setting{"sparsity", f.sparsity, &p.Sparsity},
		setting{"prune-threshold", f.threshold, &p.Threshold},
		setting{"prune-deviations", f.deviations, &p.Deviations},
	)
}

// pruner prunes params at once, as the flags say; seed is of the score random.
func (f *pruneFlags) pruner(params []*optim.Param, seed uint64) (*optim.Pruner, error) {
	var p train.Pruning
	if err := f.config(&p); err != nil {
		return nil, err
	}
	all, last := p.Spec(seed)
	all.Threshold, all.Deviations = last.Threshold, last.Deviations
	pruner, err := optim.NewPruner(params, all)
	if err != nil {
		return nil, usageOf("", err)
	}
	return pruner, nil
}

// none reports whether no flag asks for any pruning.
func (f *pruneFlags) none() bool {
	return len(f.sparsity)+len(f.threshold)+len(f.deviations) == 0 && optim.Pattern(f.pattern).Sparsity() == 0
}

// rampFlags say when pruning happens in training.
type rampFlags struct {
	begin, end  float64
	every       int
	schedule    string
	regrow      string
	share       float64
	calibration int
	keepZeros   bool
}

func (f *rampFlags) addFlags(flags *pflag.FlagSet) {
	d := train.DefaultConfig().Prune
	flags.Float64Var(&f.begin, "prune-begin", d.Begin, "begin to prune after this `SHARE` of the run")
	flags.Float64Var(&f.end, "prune-end", d.End, "have pruned all after this `SHARE` of the run")
	flags.IntVar(&f.every, "prune-every", d.Every, "prune every `N` steps; 0 is a hundredth of the run")
	flags.StringVar(&f.schedule, "prune-schedule", "", "`COURSE` of what is left to prune, from 1 to 0: linear, cosine, …; without it cubic")
	flags.StringVar(&f.regrow, "regrow", "", "each time, let weights come back in place of others, as `WAY` says: rigl, by the largest gradients, or set, at random")
	flags.Float64Var(&f.share, "regrow-fraction", optim.DefaultRegrowFraction, "exchange this `SHARE` of the weights that are left; with rigl it falls to 0 until all is pruned")
	flags.IntVar(&f.calibration, "prune-examples", train.DefaultCalibration, "make the scores snip and wanda from `N` examples")
	flags.BoolVar(&f.keepZeros, "keep-zeros", false, "keep the zeros that the weights come with")
	heading(flags, "Pruning")
}

func (f *rampFlags) config(p *train.Pruning) error {
	if f.share == 0 { // which would be the default
		return &usageError{what: "--regrow-fraction is 0, want more than 0 and less than 1"}
	}
	p.Begin, p.End, p.Every, p.Schedule = f.begin, f.end, f.every, f.schedule
	p.Regrow, p.RegrowFraction = optim.Regrowth(f.regrow), f.share
	p.Calibration, p.KeepZeros = f.calibration, f.keepZeros
	return nil
}

const pruningHelp = `Pruning sets weights to zero, for good unless --regrow says otherwise. How many
is --sparsity, a share: of n weights exactly n times that go, the same in every
layer, unless --global ranks all layers together or --erdos-renyi gives each a
density by its shape: the sum of its axes over their product. Under --global no
layer keeps less than a share, --global-floor, of the density that is asked for,
and layers with a sparsity of their own are ranked by themselves. --dense-first
and --dense-last leave the ends of the network alone, where no selector names
them. What is frozen is pruned only where a selector names it.

What goes first, --prune-score:

  magnitude   the smallest weights
  lamp        the same, for --global: |w| over the norm of all weights of the
              layer that are no smaller, so that their scale does not matter
  movement    what the loss loses least with, |w·g| summed up over the steps
  snip        the same, from examples before the first step
  wanda       |w| times the norm of what it multiplies, from such examples
  random      whatever; a baseline

From about 80 % zeros on, --global with lamp is the one to start with. For less,
--prune-end 0, which prunes at once, leaves more time: the learning rate falls
once all is pruned.

What goes together, --prune-pattern:

  2:4, 4:8, …         of four neighbours along the inputs two stay; where the
                      last ones are fewer, up to two of these
  4x1, 1x4, 16x1, …   blocks of the matrix that the first axis and all others
                      make
  rows, columns       of that matrix
  filters             all weights of an output, along whichever axis these lie

--groups of a group lasso are the same blocks, rows, columns and filters.

Groups are as important as the norm of their scores. train prunes on the way,
from --prune-begin to --prune-end; prune does at once, and knows magnitude, lamp
and random, for the others need examples. --prune-threshold and
--prune-deviations set weights below a size to zero at the end, whatever their
number.

What comes back, --regrow. After each time that train prunes, but for the last,
a share of the weights that a layer has left goes too, the smallest, and as
many that were gone come back, starting from zero:

  rigl   those with the largest gradients
  set    any that have a gradient

The number of pruned weights stays the same; with set, a few of those that came
back may still be zero in the end. With --prune-schedule linear:from=0 all that
is to go goes at the begin, and is exchanged from then on, as RigL and SET were
published, with the densities of --erdos-renyi. With --keep-zeros the zeros of
the model do not come back.
`
