package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/pflag"

	"finetune/onnxload"
	"finetune/train"
)

var checkVerb = verb{
	name:  "check",
	args:  "MODEL.onnx [flags]",
	short: "find out, without data, whether a model can be trained",
	long: `
Says before any work whether a model can be trained. It lists every node that
stands in the way and why, and every parameter that a gradient does not reach.
If nothing does, the model is run on random numbers, gradients of one node of
each operator are compared with differences, and one step of training is taken.
The model is not changed.

The exit status is 0 if the model can be trained, and 1 if not.

  finetune check model.onnx
  finetune check model.onnx --dim steps=128 --model-output scores`,
	make: func() command { return new(checkCommand) },
}

type checkCommand struct {
	inputFlags
	batch  int
	output string
	loss   string
	seed   uint64
}

func (k *checkCommand) addFlags(flags *pflag.FlagSet) {
	flags.IntVar(&k.batch, "batch", 2, "run `N` examples at once")
	k.inputFlags.addFlags(flags)
	flags.StringVar(&k.output, "model-output", "", "`NAME` of the model's output to train; without it the first")
	flags.StringVar(&k.loss, "loss", "", "`LOSS`: cross-entropy or mse; without it cross-entropy if the output is a softmax")
	flags.Uint64Var(&k.seed, "seed", 0, "`SEED` of the random numbers")
	heading(flags, "Check")
}

// checked is what check prints with --json.
type checked struct {
	File string `json:"file"`
	*train.Report
}

func (k *checkCommand) run(ctx context.Context, c *console, args []string) error {
	if k.batch < 1 {
		return &usageError{what: fmt.Sprintf("--batch is %d, want at least 1", k.batch)}
	}
	switch train.Loss(k.loss) {
	case train.Auto, train.CrossEntropy, train.MSE:
	default:
		return &usageError{what: fmt.Sprintf("--loss is %q, want %s or %s", k.loss, train.CrossEntropy, train.MSE)}
	}
	m, err := c.model(args)
	if err != nil {
		if format, ok := errors.AsType[*onnxload.FormatError](err); ok && c.json {
			_ = c.object(checked{args[0], &train.Report{Problems: []train.Problem{{Reason: format.Error()}}}})
		}
		return err
	}
	if err := k.inputFlags.apply(m); err != nil {
		return err
	}
	if k.output != "" {
		if err := checkOutput(m, k.output); err != nil {
			return err
		}
	}
	var bar *progressbar.ProgressBar
	if c.terminal && !c.quiet {
		bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(c.err), progressbar.OptionClearOnFinish())
	}
	report, err := train.Check(ctx, m, train.CheckConfig{
		Batch: k.batch, Output: k.output, Loss: train.Loss(k.loss), Seed: k.seed,
		Observe: func(what string, done, of int) {
			if bar != nil {
				bar.Describe(what)
				_ = bar.Add(1)
			}
		},
	})
	if bar != nil {
		_ = bar.Clear()
	}
	if err != nil {
		return errors.New("interrupted")
	}
	if c.json {
		err = c.object(checked{m.Path, report})
	} else {
		c.check(report)
	}
	if err == nil && !report.Trainable {
		err = fmt.Errorf("%s cannot be trained", m.Path)
	}
	return err
}

// checkOutput complains of an output that the model does not have.
func checkOutput(m *onnxload.Model, name string) error {
	var names []string
	for _, out := range m.Outputs {
		if out.Name == name {
			return nil
		}
		names = append(names, out.Name)
	}
	return &usageError{what: fmt.Sprintf("--model-output: the model has no output %q", name), hints: []string{"its outputs are " + strings.Join(names, ", ")}}
}

// check prints a report for people.
func (c *console) check(r *train.Report) {
	c.checkPorts(r)
	c.checkGradients(r)
	c.checkParameters(r)
	for _, note := range r.Notes {
		c.printf("note: %s\n", note)
	}
	if s := r.Step; s != nil && r.Trainable {
		c.printf("one step of training on random data took the %s loss from %.4g to %.4g\n", r.Loss, s.Before, s.After)
	}
	if r.Trainable {
		c.printf("can be trained\n")
		return
	}
	c.printf("cannot be trained:\n")
	for _, p := range r.Problems {
		line := p.Reason
		if p.Op != "" {
			line = fmt.Sprintf("node %q (%s, opset %d): %s", p.Node, p.Op, p.Opset, p.Reason)
		}
		c.printf("  %s\n", line)
		if p.Hint != "" {
			c.printf("    %s\n", p.Hint)
		}
	}
}

// checkPorts prints what went in and came out.
func (c *console) checkPorts(r *train.Report) {
	var rows []table.Row
	for _, in := range r.Inputs {
		rows = append(rows, table.Row{"input", in.Name, shapeText(in.Shape), in.Values})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Fill)) {
		rows = append(rows, table.Row{"input", name, "", fmt.Sprintf("all %v: in training --fill %s=%v", r.Fill[name], name, r.Fill[name])})
	}
	for _, out := range r.Outputs {
		rows = append(rows, table.Row{"output", out.Name, shapeText(out.Shape), fmt.Sprintf("%.4g to %.4g", out.Least, out.Most)})
	}
	if len(rows) > 0 {
		c.table(table.Row{"", "name", "shape", "values"}, rows)
		c.printf("\n")
	}
}

// checkGradients prints the comparison of gradients.
func (c *console) checkGradients(r *train.Report) {
	var rows []table.Row
	for _, g := range r.Gradients {
		rows = append(rows, table.Row{g.Op, g.Nodes, offBy(g.Error, g.Reason), g.Elements, shorten(g.Node, 40)})
	}
	if r.Step != nil {
		rows = append(rows, table.Row{"all parameters", "", offBy(r.Step.Slope, r.Step.Reason), "", ""})
	}
	if len(rows) > 0 {
		c.table(table.Row{"gradient of", "nodes", "off by", "elements", "at node"}, rows, "nodes", "elements")
		c.printf("\n")
	}
}

// offBy is an error, or the reason why there is none.
func offBy(share float64, reason string) string {
	if reason != "" {
		return reason
	}
	return fmt.Sprintf("%.1e", share)
}

// checkParameters prints how many parameters can be trained, and why others not.
func (c *console) checkParameters(r *train.Report) {
	var rows []table.Row
	type kind struct{ reason, outputs string }
	var kinds []kind
	first, count, values := map[kind]string{}, map[kind]int{}, map[kind]int{}
	for _, p := range r.Parameters {
		k := kind{p.Reason, strings.Join(p.Outputs, ", ")}
		if count[k] == 0 {
			kinds = append(kinds, k)
			first[k] = p.Name
		}
		count[k]++
		values[k] += p.Elements
	}
	for _, k := range kinds {
		why := k.reason
		switch {
		case why == "":
			why = "trained"
		case k.outputs != "":
			why += "; " + shorten(k.outputs, 60) + " would"
		}
		rows = append(rows, table.Row{count[k], thousands(values[k]), shorten(first[k], 40), why})
	}
	if len(rows) > 0 {
		c.table(table.Row{"parameters", "values", "first", ""}, rows, "parameters", "values")
		c.printf("\n")
	}
}
