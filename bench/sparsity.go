package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sparsityVerb makes the study of pruning, docs/sparsity.md.
const sparsityVerb = "sparsity"

// study is what has been tried, kept after each trial.
type study struct {
	corpus, page string
	only         string
	seeds        int
	trials       []trial
	python       *torch
	log          io.Writer
}

// runStudy makes the trials that are missing, and the page.
func runStudy(args []string, log io.Writer) error {
	s := study{log: log}
	flags := flag.NewFlagSet("bench sparsity", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&s.corpus, "corpus", "../shared", "read models and data in this `FOLDER`")
	flags.StringVar(&s.page, "page", "docs/sparsity.md", "write the page to `FILE`, and what was measured to the folder sparsity beside it")
	flags.StringVar(&s.only, "only", "", "make trials of this `MODEL` only")
	flags.IntVar(&s.seeds, "seeds", 3, "make `N` trials of the methods that the study is about, and one of others")
	pageOnly := flags.Bool("page-only", false, "make no trials")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	if !*pageOnly {
		var err error
		if s.python, err = findTorch(); err != nil {
			fmt.Fprintln(log, err)
		}
		if err := s.tryAll(); err != nil {
			return err
		}
	}
	return s.write()
}

// tryAll makes the trials that are missing: all methods once, then those that are
// tried more often.
func (s *study) tryAll() error {
	for seed := range s.seeds {
		for _, sub := range subjects {
			if s.only != "" && s.only != sub.name {
				continue
			}
			for _, m := range methods {
				if m.triedOn(sub, seed) && (s.python != nil || !m.isTheirs()) {
					if err := s.try(sub, m, seed); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// try makes the trials of a method that are missing, at all levels.
func (s *study) try(sub subject, m method, seed int) error {
	for _, level := range m.at() {
		if s.find(sub.name, m.name, level, seed) != nil {
			continue
		}
		t, err := m.way.try(s, sub, level, seed)
		if err != nil {
			return fmt.Errorf("%s, %s, %g: %w", sub.name, m.name, level, err)
		}
		t.Model, t.Method, t.Level, t.Seed = sub.name, m.name, level, seed
		if err := s.keep(t); err != nil {
			return err
		}
	}
	return nil
}

func (s *study) folder() string {
	return filepath.Join(filepath.Dir(s.page), strings.TrimSuffix(filepath.Base(s.page), ".md"))
}

func (s *study) results() string { return filepath.Join(s.folder(), "results.json") }

func (s *study) load() error {
	text, err := os.ReadFile(s.results())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &s.trials)
}

func (s *study) find(model, method string, level float64, seed int) *trial {
	for i, t := range s.trials {
		if t.Model == model && t.Method == method && t.Level == level && t.Seed == seed {
			return &s.trials[i]
		}
	}
	return nil
}

// keep saves what a trial came to.
func (s *study) keep(t trial) error {
	s.trials = append(s.trials, t)
	fmt.Fprintf(s.log, "%s, %s, %g, seed %d: %.4f at %.4f\n", t.Model, t.Method, t.Level, t.Seed, t.Accuracy, t.Sparsity)
	text, err := json.MarshalIndent(s.trials, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.folder(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.results(), append(text, '\n'), 0o644)
}
