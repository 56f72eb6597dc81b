package main

import (
	"context"
	"fmt"

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
  finetune eval model.onnx --data photos/ --scale 1/255 --mean 0.5 --std 0.25`,
	make: func() command { return new(evalCommand) },
}

type evalCommand struct {
	dataFlags
	split string
	batch int
}

func (e *evalCommand) addFlags(flags *pflag.FlagSet) {
	e.dataFlags.addFlags(flags)
	flags.StringVar(&e.split, "split", "", "`HALF` of the data: train or test; without it test, or all if there are no halves")
	flags.IntVar(&e.batch, "batch", 64, "run `N` examples at a time")
	heading(flags, "Data")
}

func (e *evalCommand) run(ctx context.Context, c *console, args []string) error {
	if err := e.check("eval"); err != nil {
		return err
	}
	m, err := c.model(args)
	if err != nil {
		return err
	}
	if err := e.inputFlags.apply(m); err != nil {
		return err
	}
	l, err := e.examples(c, m)
	if err != nil {
		return explain(err, "")
	}
	cfg := train.DefaultConfig()
	cfg.Batch = e.batch
	cfg.Loss, cfg.Output = train.Loss(e.loss), e.output
	cfg.Observe = newProgress(c).observe
	metrics, err := train.Evaluate(ctx, m, l, cfg)
	if err != nil {
		return explain(err, "")
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

// check complains of values that cannot be.
func (e *evalCommand) check(verb string) error {
	switch {
	case e.split != "" && e.split != "train" && e.split != "test":
		return &usageError{what: fmt.Sprintf("--split is %q, want train or test", e.split)}
	case e.batch < 1:
		return &usageError{what: fmt.Sprintf("--batch is %d, want at least 1", e.batch)}
	}
	return e.dataFlags.check(verb)
}

func (e *evalCommand) examples(c *console, m *onnxload.Model) (*data.Loader, error) {
	opt := e.options(m)
	opt = opt.Like(data.Target{Labels: true, Names: trainedClasses(m)})
	var src data.Source
	var err error
	if e.split == "" {
		src, err = e.openTest(e.path, opt)
	} else {
		opt.Split = e.split
		src, err = e.open(e.path, opt)
	}
	if err != nil {
		return nil, err
	}
	e.checkNames(c, m, src.Target())
	return e.load(m, src)
}
