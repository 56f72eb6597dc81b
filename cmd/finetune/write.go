package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"finetune/export"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
)

// outputFlags say where the model goes.
type outputFlags struct {
	out   string
	force bool
}

func (f *outputFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&f.out, "output-file", "o", "", "write the model to `FILE`")
	flags.BoolVar(&f.force, "force", false, "overwrite FILE if it exists")
	heading(flags, "Output")
}

// check finds out before long work whether the file can be written.
func (f *outputFlags) check(input string) error {
	if f.out == "" {
		return &usageError{what: "no output file given", hints: []string{"add `-o OUT.onnx`"}}
	}
	info, err := os.Stat(f.out)
	if err != nil {
		dir := filepath.Dir(f.out)
		if d, err := os.Stat(dir); err != nil || !d.IsDir() {
			return fmt.Errorf("cannot write %s: there is no folder %s", f.out, dir)
		}
		return nil
	}
	if info.IsDir() {
		return fmt.Errorf("cannot write %s: it is a folder", f.out)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("cannot write %s: it is no regular file", f.out)
	}
	if f.force {
		return nil
	}
	hint := "choose another name with -o, or add --force to overwrite it"
	if in, err := os.Stat(input); err == nil && os.SameFile(in, info) {
		return withHint(fmt.Errorf("the output %s is the input model", f.out), hint)
	}
	return withHint(fmt.Errorf("the output %s exists", f.out), hint)
}

// write exports the model, checks the file, and tells what has become of the
// model. trained is nil where nothing was.
func (f *outputFlags) write(c *console, m *onnxload.Model, trained *train.Result, metadata map[string]string) error {
	o := outcome{Event: "done", Result: trained, Output: f.out, Sparsity: optim.Sparsity(prunable(m))}
	before, err := export.MeasureModel(m)
	if err != nil {
		return err
	}
	metadata["sparsity"] = fmt.Sprintf("%.6f", o.Sparsity)
	report, err := export.Write(f.out, m, export.Options{Metadata: metadata, Overwrite: f.force})
	if err != nil {
		return err
	}
	verified, err := export.Verify(m, f.out)
	if err != nil {
		return fmt.Errorf("%s was written, but does not pass its check: %w", f.out, err)
	}
	after, err := export.Measure(report.Files...)
	if err != nil {
		return err
	}
	c.notef("wrote %s: %d of %d parameters changed, all other %s bytes are as they were",
		strings.Join(report.Files, ", "), verified.Changed, verified.Params, thousands(int(verified.Identical)))
	o.BaseBytes, o.BaseGzip, o.Bytes, o.Gzip = before.Plain, before.Gzip, after.Plain, after.Gzip
	o.addParams(m, report)
	c.warnEmptied(o.Params)
	if c.json {
		return c.object(o)
	}
	c.outcome(o)
	return nil
}

// finish writes a model that was trained, on classes of these names if they have
// any, and deletes the checkpoint of the run.
func finish(c *console, o outputFlags, m *onnxload.Model, cfg train.Config, r *train.Result, classes ...string) error {
	metadata := provenance(m, c.flags)
	if len(classes) > 0 {
		metadata[classesKey] = classesLine(classes)
		c.notef("classes by the number of the output: %s", numbered(classes))
	}
	metadata["seed"] = fmt.Sprint(cfg.Seed)
	metadata["steps"] = fmt.Sprint(r.Steps)
	if r.Temperature != 0 {
		metadata["temperature"] = fmt.Sprintf("%.6g", r.Temperature)
	}
	if r.After != nil {
		metadata["validation_loss"] = fmt.Sprintf("%.6g", r.After.Loss)
		if r.After.Accuracy != nil {
			metadata["validation_accuracy"] = fmt.Sprintf("%.6g", *r.After.Accuracy)
		}
	}
	if err := o.write(c, m, r, metadata); err != nil {
		return err
	}
	if cfg.Checkpoint == "" {
		return nil
	}
	if err := train.RemoveCheckpoint(cfg.Checkpoint); err != nil {
		c.warnf("%v", err)
	}
	return nil
}
