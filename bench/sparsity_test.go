package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
)

// TestSparsityPage writes a page of two trials and reads them back.
func TestSparsityPage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "sparsity.md")
	s := study{page: page, log: io.Discard}
	name := subjects[0].name
	for _, tr := range []trial{{name, "dense", 0, 0, 0.9931, 0.9912}, {name, "movement", 0.9, 0.9, 0.9876, 0}} {
		if err := s.keep(tr); err != nil {
			t.Fatal(err)
		}
	}
	if err := runStudy([]string{"--page", page, "--page-only"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## " + name, "As it comes 0.9912, after training without pruning 0.9931.", "| movement | | | 0.9876 | | |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("got a page without %q:\n%s", want, text)
		}
	}
}

// TestOneThreshold cuts as many weights as asked for, over two layers together.
func TestOneThreshold(t *testing.T) {
	m := &onnxload.Model{}
	for _, list := range [][]float32{{1, -2, 3, -4}, {0.1, 0.2, 5, -6}} {
		m.Params = append(m.Params, &optim.Param{Role: optim.Weight, Shape: []int{2, 2}, Value: list})
	}
	if err := oneThreshold(m, 0.5); err != nil {
		t.Fatal(err)
	}
	if a, b := m.Params[0].Zeros(), m.Params[1].Zeros(); a != 2 || b != 2 {
		t.Errorf("got %d and %d zeros, want 2 and 2", a, b)
	}
}
