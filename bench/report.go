package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"finetune/bench/protocol"
)

// page is docs/benchmarks.md.
type page struct {
	results *results
	machine machine
	bench   *bench
}

// write makes the page, and its pictures in a folder beside it.
func (p *page) write(path string) error {
	var b bytes.Buffer
	p.text(&b)
	folder := pictures(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	b.WriteString("\n## How the time of a step grows\n\nOne thread, PyTorch tuned; both axes are logarithmic but for shares.\n")
	draw := func(name string, c chart) error {
		picture := c.svg()
		if picture == nil {
			return nil
		}
		fmt.Fprintf(&b, "\n![%s, by %s](benchmarks/%s.svg)\n", c.title, c.x.label, name)
		return os.WriteFile(filepath.Join(folder, name+".svg"), picture, 0o644)
	}
	for _, s := range sweeps {
		if err := draw(s.name, s.chart(p.results)); err != nil {
			return err
		}
	}
	if err := draw("threads", threadsChart(p.results)); err != nil {
		return err
	}
	p.relative(&b)
	p.profiles(&b)
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// text is the page up to its pictures.
func (p *page) text(b *bytes.Buffer) {
	m := p.machine
	fmt.Fprintf(b, `# Benchmarks

Training steps beside PyTorch's, on the same models, weights and batches. Made by

    go run ./bench

in %s at revision %s; what was measured lies in benchmarks/results.jsonl. With --part
and --only a part is measured anew. A ratio is our time by theirs: below 1 we are faster.

| | |
|---|---|
| processor | %s, %d cores |
| peak of one thread, measured with %s | %.0f GFLOP/s |
| memory | %s |
| system | %s, %s |
| compared with | %s |

Both sides make steps in turn, %d rounds of them or more with a gap in between; a
ratio is the median of the rounds' ratios. A step is all that training does with a batch:
loss, gradients, L1 of %g, AdamW with a decay of %g on weights, at a learning rate
of %g (%g with batch normalisation). PyTorch is given L1 as %s. The losses of
the first %d steps of both have to agree within %g, or the row does not count. Batch normalisation
takes the statistics of the batch, but where only the head is trained.

PyTorch is measured in two states. *Installed* is how the distribution has it.
*Tuned* sets

    %s

without which its allocator gives memory back after each operation and its matrix
products leave AVX-512 aside on some processors. Both are told their number of
threads (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS).

## Time of a step

`, p.results.took().Round(time.Minute), strings.Join(p.results.revisions(""), ", "), or(m.Processor, "unknown"), m.Cores, m.ISA, m.Peak/1e9,
		or(m.Memory, "unknown"), m.System, m.Golang, p.versions(), p.bench.rounds, l1, decay, usualRate, lowRate,
		map[string]string{"loss": "a term of the loss", "sign": "the sign of the weights, added to the gradients", without: "nothing"}[p.bench.l1As],
		protocol.FirstSteps, agreement, strings.Join(tuning, " \\\n    "))

	b.WriteString("| workload (batch) | threads | ours, ms | PyTorch tuned, ms | ratio | goal | PyTorch installed, ms | ratio | goal | losses differ by |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, w := range workloads {
		for _, n := range []int{1, 2} {
			p.timeLine(b, w, n)
		}
	}
	p.notes(b)
	p.products(b)
	p.memory(b)
	p.beginning(b)
	p.besidePeers(b)
	p.identity(b)
}

// profiles says where the time goes in rows that miss their goal.
func (p *page) profiles(b *bytes.Buffer) {
	before := b.Len()
	for _, w := range workloads {
		for _, n := range []int{1, 2} {
			if text := p.results.of("profiles", fmt.Sprintf("%s/%d", w.name, n)).Profile; text != "" && p.misses(w, n) {
				if b.Len() == before {
					b.WriteString("\n## Where the time goes in rows that miss their goal\n")
				}
				fmt.Fprintf(b, "\n```\n%s```\n", text)
			}
		}
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (p *page) versions() string {
	var list []string
	if p.bench.python != nil {
		list = append(list, p.bench.python.version)
	}
	if p.bench.ort != nil {
		list = append(list, "ONNX Runtime "+p.bench.ort.version)
	}
	return or(strings.Join(list, ", "), "nothing: neither PyTorch nor ONNX Runtime was found")
}

// of is the row of a workload; one without figures if there is none.
func (p *page) of(w workload, threads int, state string) row {
	return p.results.row("table", tableName(w, threads, state))
}

// met tells whether a ratio, with its two decimals, is not above a goal.
func met(ratio, goal float64) bool { return math.Round(100*ratio) <= math.Round(100*goal) }

// verdict says whether a goal is met.
func verdict(met bool) string {
	if met {
		return " ✓"
	}
	return " ✗"
}

// misses reports whether a workload is slower than it is meant to be.
func (p *page) misses(w workload, threads int) bool {
	above := func(r row, goal float64) bool { return goal > 0 && r.Ratio != nil && !met(*r.Ratio, goal) }
	return above(p.of(w, threads, tuned), w.goalTuned) || above(p.of(w, threads, installed), w.goalInstalled)
}

func (p *page) timeLine(b *bytes.Buffer, w workload, threads int) {
	first, second := p.of(w, threads, tuned), p.of(w, threads, installed)
	goals := [2]float64{w.goalTuned, w.goalInstalled}
	if w.mode == "evaluate" {
		p.line(b, w.name, w.title+", against ONNX Runtime", w.batch, threads, p.of(w, threads, withONNXRuntime), row{}, goals)
		goals = [2]float64{}
	}
	p.line(b, w.name, w.title, w.batch, threads, first, second, goals)
}

func (p *page) line(b *bytes.Buffer, name, title string, batch, threads int, first, second row, goals [2]float64) {
	ours := first.Ours
	if ours == nil {
		ours = second.Ours
	}
	if ours == nil {
		ours = p.results.row("table", fmt.Sprintf("%s/%d/%s", name, threads, alone)).Ours
	}
	goal := func(r row, v float64) string {
		switch {
		case v == 0:
			return "–"
		case r.Ratio == nil:
			return fmt.Sprintf("%.2f", v)
		}
		return fmt.Sprintf("%.2f%s", v, verdict(met(*r.Ratio, v)))
	}
	ratio := func(r row) string {
		if r.Ratio == nil {
			return "–"
		}
		return fmt.Sprintf("**%.2f** (%.2f–%.2f)", *r.Ratio, r.Low, r.High)
	}
	fmt.Fprintf(b, "| %s (%d) | %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", title, batch, threads,
		number(ours, 3), number(first.Theirs, 3), ratio(first), goal(first, goals[0]), number(second.Theirs, 3), ratio(second), goal(second, goals[1]),
		number(first.LossDiff, -1))
}

// notes says why something is missing.
func (p *page) notes(b *bytes.Buffer) {
	said := map[string]bool{}
	for _, one := range p.results.list {
		if one.Part != "table" {
			continue
		}
		r := one.Row
		if line := fmt.Sprintf("- %s: %s\n", r.Workload, r.Note); r.Note != "" && !said[line] {
			if len(said) == 0 {
				b.WriteString("\nIn brackets are the quartiles. What is missing:\n\n")
			}
			said[line] = true
			b.WriteString(line)
		}
	}
	if len(said) == 0 {
		b.WriteString("\nIn brackets are the quartiles.\n")
	}
}

// besidePeers compares with other libraries in Go.
func (p *page) besidePeers(b *bytes.Buffer) {
	b.WriteString("\n## Beside other libraries in Go\n\nOn one thread. onnx-gomlx is v0.5.0 with its backend in pure Go; gorgonia is its stock\noperations, tape machine and Adam.\n\n")
	b.WriteString("| workload |")
	for _, peer := range peers {
		fmt.Fprintf(b, " ours, ms | %s, ms | ratio |", peer.name)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", 3*len(peers)))
	notes := ""
	for _, name := range peerWorkloads {
		fmt.Fprintf(b, "| %s |", name)
		for _, peer := range peers {
			r := p.results.row("peers", name+"/"+peer.name)
			fmt.Fprintf(b, " %s | %s | %s |", number(r.Ours, 3), number(r.Theirs, 3), number(r.Ratio, 4))
			if r.Note != "" {
				notes += fmt.Sprintf("- %s, %s: %s\n", name, peer.name, r.Note)
			}
		}
		b.WriteString("\n")
	}
	if notes != "" {
		b.WriteString("\n" + notes)
	}
}

// memoryGoal is the share of PyTorch's memory that is aimed at.
const memoryGoal = 0.6

func (p *page) memory(b *bytes.Buffer) {
	b.WriteString("\n## Memory\n\nThe most that the process had, from its start (VmHWM), on one thread; the goal is 0.6 of\nPyTorch's. And allocations of ours per step, of which none is wanted.\n\n")
	b.WriteString("| workload | ours, MB | PyTorch tuned, MB | ratio | PyTorch installed, MB | ratio | allocations |\n|---|---|---|---|---|---|---|\n")
	ratio := func(r row) string {
		if r.OursMB == nil || r.TheirsMB == nil {
			return "–"
		}
		share := *r.OursMB / *r.TheirsMB
		return fmt.Sprintf("%.2f%s", share, verdict(met(share, memoryGoal)))
	}
	for _, w := range workloads {
		first, second := p.of(w, 1, tuned), p.of(w, 1, installed)
		fmt.Fprintf(b, "| %s (%d) | %s | %s | %s | %s | %s | %s |\n", w.title, w.batch, number(first.OursMB, 0),
			number(first.TheirsMB, 0), ratio(first), number(second.TheirsMB, 0), ratio(second), number(first.Allocs, 1))
	}
}

func (p *page) beginning(b *bytes.Buffer) {
	s := p.results.of("startup", "startup").Startup
	if s == nil {
		return
	}
	fmt.Fprintf(b, "\n## From the start of the process to the end of the first step\n\nA multi-layer perceptron of %.0f MB, batch %d, on two threads, all in the page cache. The\ngoal is %.1f seconds.\n\n", s.Megabytes, bigModel.batch, startupGoal)
	if s.Error != "" {
		fmt.Fprintf(b, "Not measured: %s\n", s.Error)
		return
	}
	b.WriteString("| | seconds |\n|---|---|\n")
	fmt.Fprintf(b, "| ours | %.2f%s |\n", s.Ours, verdict(s.Ours <= startupGoal))
	if s.Tuned > 0 {
		fmt.Fprintf(b, "| PyTorch, tuned | %.2f |\n| PyTorch, installed | %.2f |\n", s.Tuned, s.Installed)
	}
}

// shortProfile is the profile of a workload, or why there is none.
func (b *bench) shortProfile(w workload, threads int) string {
	const steps = 10
	quiet := *b
	var text bytes.Buffer
	quiet.out, quiet.log, quiet.profile = &text, &text, steps
	if err := quiet.printProfile(w, threads); err != nil {
		return err.Error() + "\n"
	}
	return text.String()
}
