package main

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"path/filepath"

	"finetune/bench/protocol"
)

// scripts are the programs of the other sides, and the models without their
// weights.
//
//go:embed torch/*.py ort/worker.js skeletons/*.onnx.gz
var scripts embed.FS

// cache is a folder for models and examples, which are made once.
type cache struct {
	dir     string
	scripts string // a copy of our scripts
}

// newCache finds the folder. What depends on the scripts lies under their hash,
// so that a change of them makes everything anew.
func newCache() (*cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	hash := sha256.New()
	for _, name := range []string{"torch/models.py", "torch/export.py"} { // what models depend on
		text, err := scripts.ReadFile(name)
		if err != nil {
			return nil, err
		}
		hash.Write(text)
	}
	c := &cache{dir: filepath.Join(base, "finetune-bench", fmt.Sprintf("%x", hash.Sum(nil)[:6]))}
	c.scripts = filepath.Join(c.dir, "scripts")
	return c, c.copyScripts()
}

func (c *cache) copyScripts() error {
	for _, dir := range []string{"torch", "ort"} {
		files, err := scripts.ReadDir(dir)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(c.scripts, dir), 0o755); err != nil {
			return err
		}
		for _, f := range files {
			text, err := scripts.ReadFile(dir + "/" + f.Name())
			if err != nil {
				return err
			}
			if err := os.WriteFile(c.script(dir, f.Name()), text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cache) script(dir, name string) string { return filepath.Join(c.scripts, dir, name) }

// prepare makes what a job reads: its examples, and its model, by PyTorch if that
// is there.
func (c *cache) prepare(j *protocol.Job, tokens int, t *torch) error {
	j.Data = filepath.Join(c.dir, fmt.Sprintf("data-%s-%s-%d-%d-%d", j.Mode, j.Model, j.Size, j.Batch, j.Batches))
	if _, err := os.Stat(filepath.Join(j.Data, protocol.InputsFile)); err != nil {
		if err := aside(j.Data, func(dir string) error { return writeExamples(*j, dir, tokens) }); err != nil {
			return err
		}
	}
	if j.Model == "" {
		return nil
	}
	name, fill := fmt.Sprintf("%s-%d", j.Model, j.Size), t.export
	if t == nil {
		name, fill = name+"-random", writeSkeleton
	}
	j.Folder = filepath.Join(c.dir, name)
	if _, err := os.Stat(filepath.Join(j.Folder, modelFile)); err == nil {
		return nil
	}
	return aside(j.Folder, func(dir string) error { return fill(c, *j, dir) })
}

// aside fills a new folder beside dir, which takes its place when all is there.
func aside(dir string, fill func(dir string) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	next, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(next)
	if err := fill(next); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(next, dir)
}
