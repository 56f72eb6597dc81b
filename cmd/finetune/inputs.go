package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"finetune/onnxload"
)

// inputFlags settle what a model leaves open about its inputs and no data tells.
type inputFlags struct {
	dims []string
	fill []string
}

func (f *inputFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.dims, "dim", nil, "`NAME=N`: size of a dimension that the model leaves open, where the data does not tell it")
	flags.StringArrayVar(&f.fill, "fill", nil, "`INPUT=X`: the input is X in all places and needs no data: a state that starts at 0, a sample rate")
}

// apply gives the open dimensions of m's inputs the sizes of --dim, and makes
// constants of those in --fill. The file is not changed by that.
func (f *inputFlags) apply(m *onnxload.Model) error {
	for _, text := range f.dims {
		if err := fixDim(m, text); err != nil {
			return err
		}
	}
	for _, text := range f.fill {
		at := strings.LastIndexByte(text, '=')
		if at < 0 {
			return &usageError{what: fmt.Sprintf("--fill is %q, want INPUT=X with a number X", text)}
		}
		number, err := strconv.ParseFloat(text[at+1:], 64)
		if err != nil {
			return &usageError{what: fmt.Sprintf("--fill is %q, want INPUT=X with a number X", text)}
		}
		if err := m.Fill(text[:at], number); err != nil {
			return &usageError{what: "--fill: " + err.Error()}
		}
	}
	return nil
}

func fixDim(m *onnxload.Model, text string) error {
	name, number, _ := strings.Cut(text, "=")
	size, err := strconv.Atoi(number)
	if err != nil || size < 1 {
		return &usageError{what: fmt.Sprintf("--dim is %q, want NAME=N with an N of at least 1", text)}
	}
	var open []string
	found := false
	for _, in := range m.Inputs {
		for k := range in.Dims {
			d := &in.Dims[k]
			switch {
			case k == 0 || d.Symbol == "":
			case d.Symbol == name:
				d.Size, found = size, true
			case d.Size < 0 && !slices.Contains(open, d.Symbol):
				open = append(open, d.Symbol)
			}
		}
	}
	if found {
		return nil
	}
	e := &usageError{what: fmt.Sprintf("--dim: the model has no open dimension %q besides the batch", name)}
	if len(open) > 0 {
		e.hints = []string{"its open dimensions are " + strings.Join(open, ", ")}
	}
	return e
}
