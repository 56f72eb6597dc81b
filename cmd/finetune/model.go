package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"finetune/onnxload"
)

// model reads the only argument of most verbs, and passes on what there is to
// warn of.
func (c *console) model(args []string) (*onnxload.Model, error) {
	if len(args) == 0 {
		return nil, &usageError{what: "no model given", hints: []string{fmt.Sprintf("usage: finetune %s MODEL.onnx …", c.flags.Name())}}
	}
	if len(args) > 1 {
		return nil, &usageError{what: fmt.Sprintf("one model is wanted, found %d arguments: %q", len(args), args)}
	}
	path := args[0]
	m, err := onnxload.Open(path)
	var format *onnxload.FormatError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, withHint(missing(err), modelsBeside(path)...)
	case errors.As(err, &format) && format.Hint != "":
		hint := format.Hint
		format.Hint = ""
		return nil, withHint(err, hint)
	case err != nil:
		return nil, err
	}
	for _, w := range m.Warnings {
		c.notef("%s: %s", filepath.Base(path), w)
	}
	return m, nil
}

func noArguments(verb string, args []string) error {
	if len(args) > 0 {
		return &usageError{what: fmt.Sprintf("%s takes no arguments, found %q", verb, args)}
	}
	return nil
}

// missing says in plain words that a file is not there.
func missing(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("there is no file or folder %s", p.Path)
	}
	return err
}

// modelsBeside suggests the models that are where a missing one was looked for.
func modelsBeside(path string) []string {
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.onnx"))
	if len(found) == 0 {
		return nil
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = filepath.Base(f)
	}
	if hints := didYouMean(filepath.Base(path), names); hints != nil {
		return hints
	}
	return []string{"the folder has " + strings.Join(names[:min(5, len(names))], ", ")}
}
