package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"finetune/bench/protocol"
)

// identity is how the losses of our first steps depend on the instruction set
// and on the number of threads.
type identity struct {
	Workload string             `json:"workload"`
	Same     bool               `json:"same"`  // for all numbers of threads, to the last bit
	Apart    map[string]float64 `json:"apart"` // by instruction set: largest relative difference from the generic one
	Error    string             `json:"error,omitempty"`
}

// instructionSets are what KERNEL_ISA may be; the first is what others are held
// against.
var instructionSets = []string{"generic", "avx2", "avx512"}

// apartGoal is how far losses of other instruction sets may be apart.
const apartGoal = 1e-4

// identical are the workloads whose losses are compared; small enough to be
// trained without assembly.
var identical = []struct {
	name string
	size int // 0 is the usual one
}{{"mlp-mnist", 0}, {"cnn", 0}, {"resnet18", 64}, {"transformer", 16}, {"lstm", 20}}

// measureLosses has workloads trained with each instruction set and on several
// numbers of threads.
func (b *bench) measureLosses() error {
	for _, c := range identical {
		if b.only != "" && c.name != b.only {
			continue
		}
		w, err := find(c.name)
		if err != nil {
			return err
		}
		size, title := w.size, w.name
		if c.size > 0 {
			size, title = c.size, fmt.Sprintf("%s of size %d", w.name, c.size)
		}
		if err := b.measure("losses", c.name, func(r *result) error {
			r.Identity = &identity{Workload: title, Same: true, Apart: map[string]float64{}}
			if err := b.identity(r.Identity, w, size); err != nil {
				r.Identity.Error = err.Error()
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) identity(i *identity, w workload, size int) error {
	var reference []float64
	for _, isa := range instructionSets {
		var first []float64
		for _, threads := range []int{1, 2, 5} {
			j := w.job(size, w.batch, threads)
			if err := b.cache.prepare(&j, w.tokens, b.python); err != nil {
				return err
			}
			losses, err := losses(j, isa)
			if err != nil && reference != nil && strings.Contains(err.Error(), "KERNEL_ISA") {
				break // this processor does not have it
			}
			if err != nil {
				return err
			}
			if first == nil {
				first = losses
			}
			i.Same = i.Same && slices.Equal(first, losses)
		}
		if reference == nil {
			reference = first
		} else if first != nil {
			i.Apart[isa] = lossDifference(first, reference, false)
		}
	}
	return nil
}

// losses are those of our first steps.
func losses(j protocol.Job, isa string) ([]float64, error) {
	p, err := startOurs(j, "KERNEL_ISA="+isa)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	_, a, err := p.steps(protocol.FirstSteps)
	return a.Losses, err
}

// identity prints the table.
func (p *page) identity(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## The same losses\n\nOf our first %d steps, on 1, 2 and 5 threads, and with other instructions (KERNEL_ISA):\nthe largest relative difference, of which the goal is %.0e.\n\n", protocol.FirstSteps, apartGoal)
	fmt.Fprintf(b, "| workload | on any number of threads |")
	for _, isa := range instructionSets[1:] {
		fmt.Fprintf(b, " %s against %s |", isa, instructionSets[0])
	}
	fmt.Fprintf(b, "\n|---|---|%s\n", strings.Repeat("---|", len(instructionSets)-1))
	for _, c := range identical {
		i := p.results.of("losses", c.name).Identity
		if i == nil {
			continue
		}
		if i.Error != "" {
			fmt.Fprintf(b, "| %s | – (%s) |%s\n", i.Workload, i.Error, strings.Repeat(" – |", len(instructionSets)-1))
			continue
		}
		fmt.Fprintf(b, "| %s | %s |", i.Workload, map[bool]string{true: "the same bits ✓", false: "**different** ✗"}[i.Same])
		for _, isa := range instructionSets[1:] {
			if d, ok := i.Apart[isa]; ok {
				fmt.Fprintf(b, " %.0e%s |", d, verdict(d <= apartGoal))
			} else {
				b.WriteString(" not here |")
			}
		}
		b.WriteString("\n")
	}
}
