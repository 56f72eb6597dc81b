package main

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"finetune/onnxload"
	"finetune/train"
	"finetune/train/data"
)

var evalVerb = verb{
	name:  "eval",
	args:  "MODEL.onnx --data PATH [flags]",
	short: "measure a model on labelled examples",
	long: `
Runs the model on every example and prints the mean loss, and for class labels
the accuracy. Data that comes in two halves is measured on its test half unless
--split says otherwise.

  finetune eval model.onnx --data mnist/
  finetune eval model.onnx --data photos/ --scale 0.00392157 --mean 0.5 --std 0.5`,
	make: func() command { return new(evalCommand) },
}

type evalCommand struct {
	dataFlags
	taskFlags
	split string
	batch int
}

func (e *evalCommand) addFlags(flags *pflag.FlagSet) {
	e.dataFlags.addFlags(flags)
	e.taskFlags.addFlags(flags)
	flags.StringVar(&e.split, "split", "", "`HALF` of the data: train or test; default test where there is one")
	flags.IntVar(&e.batch, "batch", 64, "run `N` examples at a time")
}

func (e *evalCommand) run(ctx context.Context, c *console, args []string) error {
	path, err := oneModel("eval", args)
	if err != nil {
		return err
	}
	if err := e.wanted("eval"); err != nil {
		return err
	}
	m, err := openModel(c, path)
	if err != nil {
		return err
	}
	l, err := e.loader(m)
	if err != nil {
		return err
	}
	cfg := train.DefaultConfig()
	cfg.Batch = e.batch
	e.taskFlags.config(&cfg)
	cfg.Observe = func(event train.Event) { c.notef("%s", event.Text) }
	metrics, err := train.Evaluate(ctx, m, l, cfg)
	if err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	if c.json {
		return c.object(metrics)
	}
	c.printf("examples  %s\nloss      %.6f\n", thousands(metrics.Examples), metrics.Loss)
	if metrics.Accuracy != nil {
		c.printf("accuracy  %s\n", percent(*metrics.Accuracy))
	}
	return nil
}

func (e *evalCommand) loader(m *onnxload.Model) (*data.Loader, error) {
	split := e.split
	switch split {
	case "":
		split = "test"
	case "train", "test":
	default:
		return nil, &usageError{what: "--split is " + split + ", want train or test"}
	}
	src, err := e.open(m, e.path, split)
	if e.split == "" && errors.Is(err, data.ErrNoSplit) {
		src, err = e.open(m, e.path, "train")
	}
	if err != nil {
		return nil, err
	}
	return e.load(m, src)
}

// taskFlags say what the model is held against.
type taskFlags struct {
	loss, output string
}

func (f *taskFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.loss, "loss", "", "`LOSS`: cross-entropy or mse; default by the data")
	flags.StringVar(&f.output, "output", "", "`NAME` of the model's output to use; default the first")
}

func (f *taskFlags) config(cfg *train.Config) {
	cfg.Loss, cfg.Output = train.Loss(f.loss), f.output
}
