package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"finetune/onnxload"
)

// openModel reads a model and passes on what there is to warn of.
func openModel(c *console, path string) (*onnxload.Model, error) {
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, withHint(errors.New("there is no file "+path), modelsBeside(path)...)
		}
		return nil, err
	}
	m, err := onnxload.Open(path)
	if err != nil {
		return nil, err
	}
	for _, w := range m.Warnings {
		c.notef("%s: %s", filepath.Base(path), w)
	}
	return m, nil
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
