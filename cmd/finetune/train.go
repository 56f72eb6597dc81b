package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"finetune/onnxload"
	"finetune/train"
	"finetune/train/data"
)

var trainVerb = verb{
	name:  "train",
	args:  "MODEL.onnx --data PATH -o OUT.onnx [flags]",
	short: "fine-tune, regularise and prune a model on your data",
	long: `
Trains the parameters of MODEL on labelled examples and writes the model back as
OUT: the same file but for the bytes of the trained parameters.

Examples with class labels are learned by cross-entropy, numbers by mean squared
error. A final Softmax or Sigmoid is trained through and kept. Some examples are
held back to measure on: the test half of data that has one, else --val-split.

With --sparsity weights are pruned while training, smallest first, and stay
zero. Ctrl-C saves a checkpoint; the same command with --resume goes on from it
and ends as if it had never stopped.

  finetune train model.onnx --data photos/ --scale 0.00392157 -o tuned.onnx
  finetune train model.onnx --data mnist/ --l1 1e-5 --sparsity 0.8 -o small.onnx
  finetune train model.onnx --data table.csv --train 'layer:fc*' --lr 1e-2 -o tuned.onnx`,
	make: func() command { return new(trainCommand) },
}

type trainCommand struct {
	dataFlags
	taskFlags
	selectFlags
	optimFlags
	pruneFlags
	outputFlags
	valData              string
	valSplit             float64
	epochs, batch        int
	microBatch           int
	seed                 uint64
	batchNorm            string
	pruneBegin, pruneEnd float64
	checkpoint           string
	checkpointEvery      time.Duration
	resume               bool
}

func (t *trainCommand) addFlags(flags *pflag.FlagSet) {
	d := train.DefaultConfig()
	t.dataFlags.addFlags(flags)
	flags.StringVar(&t.valData, "val-data", "", "`PATH` of examples to measure on; default the data's test half, or --val-split")
	flags.Float64Var(&t.valSplit, "val-split", 0.1, "hold back this `SHARE` of the examples to measure on; 0 measures nothing")
	t.taskFlags.addFlags(flags)
	flags.IntVar(&t.epochs, "epochs", d.Epochs, "go `N` times over the examples")
	flags.IntVar(&t.batch, "batch", d.Batch, "update after `N` examples")
	flags.IntVar(&t.microBatch, "micro-batch", 0, "run at most `N` of a batch at a time, to save memory")
	t.optimFlags.addFlags(flags)
	t.selectFlags.addFlags(flags)
	flags.StringVar(&t.batchNorm, "bn", string(d.BatchNorm), "batch normalisation: frozen (keep the running statistics) or train `HOW`")
	t.pruneFlags.addFlags(flags)
	flags.Float64Var(&t.pruneBegin, "prune-begin", d.Prune.Begin, "begin to prune after this `SHARE` of the run")
	flags.Float64Var(&t.pruneEnd, "prune-end", d.Prune.End, "have pruned all after this `SHARE` of the run")
	flags.Uint64Var(&t.seed, "seed", 0, "`N` decides the order of examples, what is held back, and what Dropout drops")
	t.outputFlags.addFlags(flags)
	flags.StringVar(&t.checkpoint, "checkpoint", "", "save the state of the run to `FILE`; default beside OUT")
	flags.DurationVar(&t.checkpointEvery, "checkpoint-every", d.CheckpointEvery, "save it after this `TIME`; 0 after each epoch")
	flags.BoolVar(&t.resume, "resume", false, "go on from the checkpoint of a run with the same flags")
}

func (t *trainCommand) run(ctx context.Context, c *console, args []string) error {
	path, err := oneModel("train", args)
	if err != nil {
		return err
	}
	if err := t.wanted("train"); err != nil {
		return err
	}
	if err := t.outputFlags.check(path); err != nil {
		return err
	}
	cfg, err := t.config()
	if err != nil {
		return err
	}
	m, err := openModel(c, path)
	if err != nil {
		return err
	}
	if err := t.selectFlags.apply(m.Params); err != nil {
		return err
	}
	training, held, err := t.examples(m)
	if err != nil {
		return err
	}
	p := newProgress(c)
	cfg.Observe = p.observe
	result, err := train.Run(ctx, m, training, held, cfg)
	p.close()
	if err != nil {
		return t.explain(err, cfg.Checkpoint)
	}
	return finish(c, t.outputFlags, m, cfg, result)
}

// config collects the flags.
func (t *trainCommand) config() (train.Config, error) {
	cfg := train.DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.MicroBatch, cfg.Seed = t.epochs, t.batch, t.microBatch, t.seed
	t.taskFlags.config(&cfg)
	switch mode := onnxload.BatchNormMode(t.batchNorm); mode {
	case onnxload.BatchNormFrozen, onnxload.BatchNormTrain:
		cfg.BatchNorm = mode
	default:
		return cfg, &usageError{what: fmt.Sprintf("--bn is %q, want frozen or train", t.batchNorm)}
	}
	if !(t.valSplit >= 0 && t.valSplit < 1) {
		return cfg, &usageError{what: fmt.Sprintf("--val-split is %v, want 0 or more and less than 1", t.valSplit)}
	}
	var err error
	if cfg.Optim, err = t.optimFlags.config(); err != nil {
		return cfg, err
	}
	cfg.Schedule, cfg.Warmup = t.schedule, t.warmup
	cfg.Clip = train.Clip{Norm: t.clipNorm, Value: t.clipValue}
	if err := t.pruneFlags.config(&cfg.Prune); err != nil {
		return cfg, err
	}
	cfg.Prune.Begin, cfg.Prune.End = t.pruneBegin, t.pruneEnd
	cfg.Checkpoint, cfg.CheckpointEvery, cfg.Resume = t.checkpoint, t.checkpointEvery, t.resume
	if cfg.Checkpoint == "" {
		cfg.Checkpoint = strings.TrimSuffix(t.out, ".onnx") + ".checkpoint.safetensors"
	}
	return cfg, nil
}

// examples reads what to learn from and what to measure on; held is nil if
// there is nothing of the latter.
func (t *trainCommand) examples(m *onnxload.Model) (training, held *data.Loader, err error) {
	src, err := t.open(m, t.path, "train")
	if err != nil {
		return nil, nil, err
	}
	var rest data.Source
	switch {
	case t.valData != "":
		if rest, err = t.open(m, t.valData, "test"); errors.Is(err, data.ErrNoSplit) {
			rest, err = t.open(m, t.valData, "train")
		}
	default:
		if rest, err = t.open(m, t.path, "test"); errors.Is(err, data.ErrNoSplit) {
			rest, err = nil, nil
			if t.valSplit > 0 {
				src, rest, err = data.Split(src, t.valSplit, t.seed)
			}
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if training, err = t.load(m, src); err != nil || rest == nil {
		return training, nil, err
	}
	held, err = t.load(m, rest)
	return training, held, err
}

// explain adds what would help to an error of the run.
func (t *trainCommand) explain(err error, checkpoint string) error {
	var interrupted *train.InterruptedError
	var diverged *train.DivergedError
	switch {
	case errors.As(err, &interrupted):
		if interrupted.Checkpoint == "" {
			return fmt.Errorf("%w: nothing was learned yet, and nothing was written", err)
		}
		return withHint(fmt.Errorf("%w: %w", err, errInterrupted),
			fmt.Sprintf("the run is saved in %s; the same command with --resume goes on", interrupted.Checkpoint))
	case errors.As(err, &diverged):
		hints := []string{
			"a lower --lr, --clip-norm 1, or inputs nearer to 0…1 (--scale, --mean, --std) may help",
			"nothing was written",
		}
		if _, err := os.Stat(checkpoint); err == nil {
			hints = append(hints, "the last good state is in "+checkpoint)
		}
		return withHint(err, hints...)
	}
	return err
}
