package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/pflag"

	"finetune/onnxload"
	"finetune/train"
	"finetune/train/data"
)

// dataFlags say where examples come from and what the model wants to see.
type dataFlags struct {
	path       string
	label      string
	labels     string
	labelBase  int
	drop       []string
	classes    []string
	regression bool
	limit      int
	scale      numbers
	mean, std  numbers
	nhwc       bool
	loss       string
	output     string
	inputFlags
}

func (f *dataFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&f.path, "data", "d", "", "`PATH`: examples, in a folder of images with a folder per class, idx (MNIST) or CIFAR-10 files, a .csv or .tsv table, or .npy/.npz arrays")
	flags.StringVar(&f.label, "label", "", "`COLUMN` of a table, or array of an .npz file, to learn; without it the last")
	flags.StringVar(&f.labels, "labels", "", "`FILE` with the labels of an idx or .npy file; without it the one beside it")
	flags.IntVar(&f.labelBase, "label-base", 0, "the first class has number `N` in the data")
	flags.StringSliceVar(&f.classes, "classes", nil, "`NAMES` of the classes in the order of the model's outputs; without them the names in the data, sorted")
	flags.BoolVar(&f.regression, "regression", false, "whole-number targets are values, not classes")
	flags.StringSliceVar(&f.drop, "drop", nil, "`COLUMNS` of a table that are neither input nor target")
	flags.IntVar(&f.limit, "limit", 0, "take at most `N` examples, evenly from all classes")
	f.scale.single = true
	flags.Var(&f.scale, "scale", "multiply inputs by `X` first: 1/255 brings pixels to 0…1")
	flags.Var(&f.mean, "mean", "then subtract `X`, or one X per channel")
	flags.Var(&f.std, "std", "then divide by `X`, or one X per channel")
	flags.BoolVar(&f.nhwc, "nhwc", false, "the model takes images as height, width, channels")
	f.inputFlags.addFlags(flags)
	flags.StringVar(&f.loss, "loss", "", "`LOSS`: cross-entropy (for classes) or mse (for numbers); without it by what the data has")
	flags.StringVar(&f.output, "model-output", "", "`NAME` of the model's output to use; without it the first")
	heading(flags, "Data")
}

// check complains of values that cannot be.
func (f *dataFlags) check(verb string) error {
	switch {
	case f.path == "":
		return &usageError{what: "no data given", hints: []string{
			"add `--data PATH`: a folder of images, idx or CIFAR-10 files, a table, or arrays",
			fmt.Sprintf("`finetune help %s` tells more", verb),
		}}
	case f.limit < 0:
		return &usageError{what: fmt.Sprintf("--limit is %d, want 0 (no limit) or more", f.limit)}
	case len(f.scale.values) == 1 && f.scale.values[0] == 0:
		return &usageError{what: "--scale is 0, which makes all inputs the same"}
	}
	switch train.Loss(f.loss) {
	case train.Auto, train.CrossEntropy, train.MSE:
		return nil
	}
	return &usageError{what: fmt.Sprintf("--loss is %q, want %s or %s", f.loss, train.CrossEntropy, train.MSE)}
}

// options say how to read examples for m.
func (f *dataFlags) options(m *onnxload.Model) data.Options {
	opt := data.Options{
		Label: f.label, Labels: f.labels, LabelBase: f.labelBase, Drop: f.drop, Classes: f.classes,
		Regression: f.regression || train.Loss(f.loss) == train.MSE,
	}
	if len(m.Inputs) == 1 {
		opt.Size, opt.Channels = f.imageShape(m.Inputs[0])
		return opt
	}
	for _, in := range m.Inputs {
		opt.Inputs = append(opt.Inputs, in.Name)
	}
	return opt
}

// imageShape is what a folder's images are scaled to: the input's height, width
// and channels, zero where it does not take images or leaves them open.
func (f *dataFlags) imageShape(in onnxload.Value) (size [2]int, channels int) {
	if in.Rank != 4 {
		return size, 0
	}
	d := []int{max(in.Dims[1].Size, 0), max(in.Dims[2].Size, 0), max(in.Dims[3].Size, 0)}
	if f.nhwc {
		d = []int{d[2], d[0], d[1]}
	}
	if d[1] > 0 && d[2] > 0 {
		size = [2]int{d[1], d[2]}
	}
	if d[0] == 1 || d[0] == 3 {
		channels = d[0]
	}
	return size, channels
}

// open reads the examples at path. They are drawn without regard to the seed of
// a run, so that --limit means the same examples everywhere.
func (f *dataFlags) open(path string, opt data.Options) (data.Source, error) {
	src, err := data.Open(path, opt)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(err)
	case err != nil || f.limit == 0 || f.limit >= src.Len():
		return src, err
	}
	_, few, err := data.Split(src, float64(f.limit)/float64(src.Len()), 0)
	return few, err
}

// openTest reads the test half, and all of what is there if it is not divided.
func (f *dataFlags) openTest(path string, opt data.Options) (data.Source, error) {
	opt.Split = "test"
	src, err := f.open(path, opt)
	if errors.Is(err, data.ErrNoSplit) {
		opt.Split = "train"
		return f.open(path, opt)
	}
	return src, err
}

// checkNames warns of names that are fewer than the classes of the model: it is by
// the order of those that are there that they were numbered.
func (f *dataFlags) checkNames(c *console, m *onnxload.Model, target data.Target) {
	names := target.Names
	if len(f.classes) > 0 {
		return
	}
	for i, out := range m.Outputs {
		if (f.output == "" && i > 0) || (f.output != "" && f.output != out.Name) || out.Rank < 1 {
			continue
		}
		if classes := out.Dims[out.Rank-1].Size; 0 < len(names) && len(names) < classes {
			c.warnf("the data names fewer classes (%d) than the model has (%d), taken for its first: %s; --classes NAMES lists them all",
				len(names), classes, numbered(names))
		}
	}
}

// numbered is a list of classes with their numbers.
func numbered(names []string) string {
	const most = 12
	var list []string
	for i, name := range names[:min(most, len(names))] {
		list = append(list, fmt.Sprintf("%d %s", i, name))
	}
	if len(names) > most {
		list = append(list, "…")
	}
	return strings.Join(list, ", ")
}

// load prepares examples for the model's inputs.
func (f *dataFlags) load(m *onnxload.Model, src data.Source) (*data.Loader, error) {
	opt := data.LoaderOptions{Mean: f.mean.values, Std: f.std.values, NHWC: f.nhwc}
	if len(f.scale.values) == 1 {
		opt.Scale = f.scale.values[0]
	}
	for _, field := range src.Inputs() {
		opt.Integer = append(opt.Integer, takesIntegers(m, field.Name))
	}
	return data.NewLoader(src, opt)
}

func takesIntegers(m *onnxload.Model, name string) bool {
	for _, in := range m.Inputs {
		if len(m.Inputs) == 1 || in.Name == name {
			return strings.Contains(string(in.DType), "int")
		}
	}
	return false
}
