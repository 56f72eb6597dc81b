package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/pflag"

	"finetune/export"
	"finetune/onnxload"
	"finetune/optim"
)

// outputFlags say where the model goes.
type outputFlags struct {
	out   string
	force bool
}

func (f *outputFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&f.out, "output-file", "o", "", "write the model to `FILE`")
	flags.BoolVar(&f.force, "force", false, "overwrite FILE if it exists")
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
	if f.force {
		return nil
	}
	hint := "choose another name with -o, or add --force to overwrite it"
	if in, err := os.Stat(input); err == nil && os.SameFile(in, info) {
		return withHint(fmt.Errorf("the output %s is the input model", f.out), hint)
	}
	return withHint(fmt.Errorf("the output %s exists", f.out), hint)
}

// write exports the model, checks the file, and tells its size and sparsity.
func (f *outputFlags) write(c *console, m *onnxload.Model, metadata map[string]string) error {
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
	if c.json {
		return nil
	}
	c.sparsityTable(report)
	c.printf("\nsize  %s, gzipped %s", byteCount(int(after.Plain)), byteCount(int(after.Gzip)))
	if before, err := export.Measure(m.Path); err == nil && m.Path != "" {
		c.printf(" (before: %s, gzipped %s)", byteCount(int(before.Plain)), byteCount(int(before.Gzip)))
	}
	c.printf("\n")
	return nil
}

// sparsityTable lists the parameters that hold zeros or are of a kind that is
// pruned.
func (c *console) sparsityTable(report export.Report) {
	var rows []table.Row
	zeros, elements := 0, 0
	for _, p := range report.Params {
		kind := optim.Param{Role: optim.Role(p.Role), Shape: p.Shape}
		if !kind.Decayed() && p.Zeros == 0 || p.Role == string(optim.Constant) {
			continue
		}
		rows = append(rows, table.Row{
			shorten(p.Name, 40), p.Op, shapeText(p.Shape), thousands(p.Elements), thousands(p.Zeros), share(p.Zeros, p.Elements),
		})
		zeros += p.Zeros
		elements += p.Elements
	}
	if len(rows) == 0 {
		return
	}
	rows = append(rows, table.Row{"all of these", "", "", thousands(elements), thousands(zeros), share(zeros, elements)})
	c.table(table.Row{"parameter", "op", "shape", "values", "zeros", "sparsity"}, rows, "values", "zeros", "sparsity")
}

func share(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return percent(float64(part) / float64(whole))
}
