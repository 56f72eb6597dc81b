package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// identity is how the losses of our first steps depend on the instruction set
// and on the number of threads.
type identity struct {
	workload string
	same     bool               // for all numbers of threads, to the last bit
	apart    map[string]float64 // by instruction set: largest relative difference from the generic one
	err      error
}

// instructionSets are what KERNEL_ISA may be; the first is what others are held
// against.
var instructionSets = []string{"generic", "avx2", "avx512"}

// identical are the workloads whose losses are compared; small enough to be
// trained without assembly.
var identical = []struct {
	name string
	size int // 0 is the usual one
}{{"mlp-mnist", 0}, {"cnn", 0}, {"resnet18", 32}, {"transformer", 16}, {"lstm", 20}}

func (b *bench) identities() []identity {
	var list []identity
	for _, c := range identical {
		i := identity{workload: c.name, same: true, apart: map[string]float64{}}
		w, err := find(c.name)
		if err == nil {
			size := c.size
			if size == 0 {
				size = w.size
			} else {
				i.workload = fmt.Sprintf("%s of size %d", w.name, size)
			}
			err = b.identity(&i, w, size)
		}
		i.err = err
		list = append(list, i)
	}
	return list
}

func (b *bench) identity(i *identity, w workload, size int) error {
	var reference []float64
	for _, isa := range instructionSets {
		fmt.Fprintf(b.log, "losses of %s with %s\n", i.workload, isa)
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
			i.same = i.same && slices.Equal(first, losses)
		}
		if reference == nil {
			reference = first
		} else if first != nil {
			i.apart[isa] = lossDifference(first, reference, false)
		}
	}
	return nil
}

// losses are those of our first steps.
func losses(j job, isa string) ([]float64, error) {
	p, err := startOurs(j, "KERNEL_ISA="+isa)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	_, a, err := p.steps(firstSteps)
	return a.Losses, err
}

// identity prints the table.
func (p *page) identity(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## The same losses\n\nOf our first %d steps, on 1, 2 and 5 threads, and with other instructions (KERNEL_ISA).\n\n", firstSteps)
	fmt.Fprintf(b, "| workload | on any number of threads |")
	for _, isa := range instructionSets[1:] {
		fmt.Fprintf(b, " %s against %s |", isa, instructionSets[0])
	}
	fmt.Fprintf(b, "\n|---|---|%s\n", strings.Repeat("---|", len(instructionSets)-1))
	for _, i := range p.identities {
		if i.err != nil {
			fmt.Fprintf(b, "| %s | – (%v) |%s\n", i.workload, i.err, strings.Repeat(" – |", len(instructionSets)-1))
			continue
		}
		fmt.Fprintf(b, "| %s | %s |", i.workload, map[bool]string{true: "the same bits", false: "**different**"}[i.same])
		for _, isa := range instructionSets[1:] {
			if d, ok := i.apart[isa]; ok {
				fmt.Fprintf(b, " %.0e |", d)
			} else {
				b.WriteString(" not here |")
			}
		}
		b.WriteString("\n")
	}
}
