package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
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

  finetune train model.onnx --data photos/ --scale 1/255 -o tuned.onnx
  finetune train model.onnx --data mnist/ --l1 1e-5 --sparsity 0.8 -o small.onnx
  finetune train model.onnx --data table.csv --train 'layer:fc*' --lr 1e-2 -o tuned.onnx

With --json each epoch is an object on a line of its own, and a last one with
"event": "done" says what the run came to.`,
	make: func() command { return new(trainCommand) },
}

type trainCommand struct {
	dataFlags
	selectFlags
	optimFlags
	gradientFlags
	pruneFlags
	rampFlags
	outputFlags
	valData         string
	valSplit        float64
	epochs, batch   int
	microBatch      int
	maxMemory       byteSize
	schedule        string
	warmup          float64
	temperature     float64
	batchNorm       string
	seed            uint64
	checkpoint      string
	checkpointEvery time.Duration
	resume          bool
	profile         bool
}

func (t *trainCommand) addFlags(flags *pflag.FlagSet) {
	d := train.DefaultConfig()
	t.dataFlags.addFlags(flags)
	flags.StringVar(&t.valData, "val-data", "", "`PATH`: examples to measure on; without it the test half of the data, or --val-split")
	flags.Float64Var(&t.valSplit, "val-split", 0.1, "hold back this `SHARE` of the examples to measure on, and use no test half; 0 measures nothing")
	heading(flags, "Data")
	flags.IntVar(&t.epochs, "epochs", d.Epochs, "go `N` times over the examples")
	flags.IntVar(&t.batch, "batch", d.Batch, "update after `N` examples")
	flags.IntVar(&t.microBatch, "micro-batch", d.MicroBatch, "run at most `N` of a batch at a time, to save memory")
	flags.Var(&t.maxMemory, "max-memory", "do with `SIZE` of memory, as in 2GB, for all but the examples: compute cheap\nresults twice, and run fewer examples at a time")
	t.selectFlags.addFlags(flags)
	t.optimFlags.addFlags(flags)
	flags.StringVar(&t.schedule, "schedule", d.Schedule, "`COURSE` of the learning rate, after pruning if there is any: constant, linear, cosine, …, see `finetune help schedules`")
	flags.Float64Var(&t.warmup, "warmup", d.Warmup, "climb to the learning rate for `N` steps, or a share of the run below 1")
	t.gradientFlags.addFlags(flags)
	flags.Float64Var(&t.temperature, "temperature", d.Temperature, "divide scores by `X` in cross-entropy; 0 finds X for a model whose scores are far\ntoo large, as where --scale is missing, 1 leaves them as they are")
	flags.StringVar(&t.batchNorm, "bn", string(d.BatchNorm), "`HOW` to normalise batches: frozen (keep the running statistics) or train")
	flags.Uint64Var(&t.seed, "seed", d.Seed, "`N` decides the order of examples, what is held back, and what Dropout drops")
	heading(flags, "Training")
	t.pruneFlags.addFlags(flags)
	t.rampFlags.addFlags(flags)
	t.outputFlags.addFlags(flags)
	flags.StringVar(&t.checkpoint, "checkpoint", "", "save the state of the run to `FILE`; without it OUT.checkpoint.safetensors")
	flags.DurationVar(&t.checkpointEvery, "checkpoint-every", d.CheckpointEvery, "save it after this `TIME`, such as 30s or 10m; 0 after each epoch")
	flags.BoolVar(&t.resume, "resume", false, "go on from the checkpoint of a run with the same flags")
	flags.BoolVar(&t.profile, "profile", false, "say where the time of training went, by the kind of operation")
	heading(flags, "Output")
	addRecipeFlag(flags)
}

func (t *trainCommand) run(ctx context.Context, c *console, args []string) error {
	cfg, err := t.config(c)
	if err != nil {
		return err
	}
	m, err := c.model(args)
	if err != nil {
		return err
	}
	if err := t.prepare(c, m, cfg); err != nil {
		return err
	}
	training, held, err := t.examples(c, m)
	if err != nil {
		return explain(err, "")
	}
	p := newProgress(c)
	p.opening = func() string { return openingText(m, training, held) }
	cfg.Observe = p.observe
	result, err := train.Run(ctx, m, training, held, cfg)
	p.close()
	if err != nil {
		return explain(err, p.saved, t.steadier()...)
	}
	if err := finish(c, t.outputFlags, m, cfg, result, training.Source().Target().Names...); err != nil {
		return err
	}
	if t.profile && !c.json { // the last object has it
		c.profile(result.Profile, measurePeak())
	}
	return nil
}

// steadier are what would keep the rule from going too far.
func (t *trainCommand) steadier() []string {
	if rule, keys, _ := strings.Cut(t.rule, ":"); rule == "lbfgs" && !strings.Contains(keys, "line-search=1") {
		return []string{"--optimizer lbfgs:line-search=1 looks how far to go along each direction"}
	}
	return nil
}

// config collects the flags that need no model to be understood.
func (t *trainCommand) config(c *console) (train.Config, error) {
	if err := t.dataFlags.check("train"); err != nil {
		return train.Config{}, err
	}
	if _, fromRecipe := c.origin["val-split"]; t.valData != "" && c.flags.Changed("val-split") && !fromRecipe {
		return train.Config{}, &usageError{what: "--val-data and --val-split exclude each other"}
	}
	return t.settled()
}

// settled is config without a look at where things are.
func (t *trainCommand) settled() (train.Config, error) {
	cfg := train.DefaultConfig()
	if !(t.valSplit >= 0 && t.valSplit < 1) {
		return cfg, &usageError{what: fmt.Sprintf("--val-split is %v, want 0 (nothing) or more and less than 1", t.valSplit)}
	}
	cfg.Loss, cfg.Output = train.Loss(t.loss), t.output
	cfg.Epochs, cfg.Batch, cfg.MicroBatch, cfg.Seed = t.epochs, t.batch, t.microBatch, t.seed
	cfg.MaxMemory = t.maxMemory.bytes
	cfg.Schedule, cfg.Warmup = t.schedule, t.warmup
	t.gradientFlags.config(&cfg)
	cfg.Temperature = t.temperature
	cfg.BatchNorm = onnxload.BatchNormMode(t.batchNorm)
	cfg.CheckpointEvery, cfg.Resume, cfg.Profile = t.checkpointEvery, t.resume, t.profile
	cfg.Checkpoint = cmp.Or(t.checkpoint, strings.TrimSuffix(t.out, ".onnx")+".checkpoint.safetensors")
	var err error
	if cfg.Optim, err = t.optimFlags.config(); err != nil {
		return cfg, err
	}
	if err := t.pruneFlags.config(&cfg.Prune); err != nil {
		return cfg, err
	}
	if err := t.rampFlags.config(&cfg.Prune); err != nil {
		return cfg, err
	}
	if err := cfg.Check(); err != nil {
		return cfg, usageOf("", err)
	}
	return cfg, nil
}

// prepare chooses what to train, and finds flags that do not fit the model before
// any data is read.
func (t *trainCommand) prepare(c *console, m *onnxload.Model, cfg train.Config) error {
	if err := t.outputFlags.check(m.Path); err != nil {
		return err
	}
	if err := t.inputFlags.apply(m); err != nil {
		return err
	}
	if _, err := t.selectFlags.apply(m.Params); err != nil {
		return err
	}
	plans, err := t.plans(m.Params)
	if err != nil {
		return err
	}
	pruner, err := t.pruner(m.Params, t.seed)
	if err != nil {
		return err
	}
	c.warnUnreached(plans, pruner.Plans())
	if err := m.Supported(); err != nil {
		return explain(err, "")
	}
	return t.checkCheckpoint(c, cfg)
}

// checkCheckpoint finds out whether there is a checkpoint to go on from, or a place
// for one.
func (t *trainCommand) checkCheckpoint(c *console, cfg train.Config) error {
	_, err := os.Stat(cfg.Checkpoint)
	there := err == nil
	switch {
	case filepath.Clean(cfg.Checkpoint) == filepath.Clean(t.out):
		return &usageError{what: fmt.Sprintf("--checkpoint and -o are both %s", t.out)}
	case t.resume && !there:
		return explain(&train.ResumeError{Path: cfg.Checkpoint, Err: errors.New("there is no checkpoint to resume from")}, "")
	case t.resume:
		return nil
	}
	if err := train.CheckpointPlace(cfg.Checkpoint); err != nil {
		return withHint(err, "--checkpoint FILE names another place to save the state of the run")
	}
	if there {
		c.notef("%s is of a run that was interrupted; --resume would go on from it, this run starts anew", cfg.Checkpoint)
	}
	return nil
}

// examples reads what to learn from and what to measure on; held is nil if
// there is nothing of the latter.
func (t *trainCommand) examples(c *console, m *onnxload.Model) (training, held *data.Loader, err error) {
	opt := t.options(m)
	src, err := t.open(t.path, opt)
	if err != nil {
		return nil, nil, err
	}
	t.checkNames(c, m, src.Target())
	src, rest, err := t.holdBack(src, opt.Like(src.Target()), c.flags.Changed("val-split"))
	if err != nil {
		return nil, nil, err
	}
	if training, err = t.load(m, src); err != nil || rest == nil {
		return training, nil, err
	}
	held, err = t.load(m, rest)
	return training, held, err
}

// holdBack finds the examples to measure on: --val-data, the test half of the
// data, or a part of src, which is what is asked for explicitly if split is set.
// opt says how to read the former two.
func (t *trainCommand) holdBack(src data.Source, opt data.Options, split bool) (training, rest data.Source, err error) {
	opt.Labels = "" // of src; the others have theirs beside them
	switch {
	case t.valData != "":
		rest, err = t.openTest(t.valData, opt)
		return src, rest, err
	case split:
		return t.split(src)
	}
	opt.Split = "test"
	rest, err = t.open(t.path, opt)
	if errors.Is(err, data.ErrNoSplit) {
		return t.split(src)
	}
	return src, rest, err
}

// split holds examples back; none, and a nil rest, if none are wanted.
func (t *trainCommand) split(src data.Source) (training, rest data.Source, err error) {
	if t.valSplit == 0 {
		return src, nil, nil
	}
	if held := math.Round(float64(src.Len()) * t.valSplit); held < 1 || int(held) >= src.Len() {
		return nil, nil, withHint(fmt.Errorf("--val-split %v of the %s in %s leaves one part empty", t.valSplit, count(src.Len(), "example"), t.path),
			"--val-split 0 holds nothing back, --val-data PATH measures on other examples")
	}
	return data.Split(src, t.valSplit, t.seed)
}

// openingText says what a run is about to work on.
func openingText(m *onnxload.Model, training, held *data.Loader) string {
	values, trained := 0, 0
	for _, p := range m.Params {
		values += len(p.Value)
		if p.Trainable {
			trained += len(p.Value)
		}
	}
	text := fmt.Sprintf("training %s of %s values on %s", thousands(trained), thousands(values), count(training.Len(), "example"))
	if held != nil {
		text += fmt.Sprintf(", %s are held out", thousands(held.Len()))
	}
	return text
}
