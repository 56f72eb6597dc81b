package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
)

// TestSparsityPage writes a page of some trials and reads them back.
func TestSparsityPage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "sparsity.md")
	s := study{page: page, log: io.Discard}
	name := subjects[0].name
	for _, tr := range []trial{
		{Model: name, Method: dense, Accuracy: 0.9931, Before: 0.9912},
		{Model: name, Method: "movement", Level: 0.9, Accuracy: 0.9876},
		{Model: name, Method: advised, Level: 0.9, Accuracy: 0.99},
		{Model: name, Method: advised, Level: 0.9, Seed: 1, Accuracy: 0.98},
		{Model: name, Method: "PyTorch, global", Level: 0.9, Accuracy: 0.97},
	} {
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
	for _, want := range []string{
		"## " + name, "As it comes 99.12, after training without pruning 99.31.",
		"| movement | | | 98.76 | | |", "| LAMP | | | **98.50** ±0.71 | | |", "| PyTorch, global | | | **97.00** | | |",
		"| *LAMP above the best of PyTorch* | | | +1.50 | | |", "| *the best of ours above it* | | | +1.50 | | |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("got a page without %q:\n%s", want, text)
		}
	}
}

// TestMethodsAreTold finds the method that is advised, and those in the pictures.
func TestMethodsAreTold(t *testing.T) {
	for _, name := range append([]string{advised, dense}, pictured...) {
		if !slices.ContainsFunc(methods, func(m method) bool { return m.name == name }) {
			t.Errorf("got no method %q", name)
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
