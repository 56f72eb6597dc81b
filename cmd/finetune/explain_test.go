package main

import (
	"strings"
	"testing"

	"finetune/train"
)

// What a run that is too large for memory is told to do fits where it comes from.
func TestMemoryHints(t *testing.T) {
	const gb = 1_000_000_000
	for _, test := range []struct {
		name string
		err  train.MemoryError
		want []string // beginnings
	}{
		{"the machine has too little", train.MemoryError{Memory: train.Memory{Training: gb, Pass: 40 * gb, Examples: 64}, Most: 11 * gb},
			[]string{"--micro-batch 16 ", "--max-memory SIZE "}},
		{"an evaluation", train.MemoryError{Memory: train.Memory{Pass: 40 * gb, Examples: 64}, Most: 10 * gb},
			[]string{"--batch 16 "}},
		{"less than the model was allowed", train.MemoryError{Memory: train.Memory{Model: gb, Training: 3 * gb, Pass: gb, Examples: 1}, Most: gb, Asked: true},
			[]string{"--max-memory 5000MB is enough", "--train and --freeze "}},
	} {
		got := memoryHints(&test.err)
		if len(got) != len(test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
			continue
		}
		for i, want := range test.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%s: got %q, want %q", test.name, got, test.want)
			}
		}
	}
}
