package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// report measures everything and writes the page.
func (b *bench) report() error {
	began := time.Now()
	var p page
	var err error
	if p.rows, err = b.table(); err != nil {
		return err
	}
	for _, w := range workloads {
		for _, n := range []int{1, 2} {
			if w.mode == "" && p.misses(w, n) {
				p.profiles = append(p.profiles, b.shortProfile(w, n))
			}
		}
	}
	if p.peers, err = b.peerRows(); err != nil {
		return err
	}
	p.startup, p.startupErr = b.startups()
	for _, s := range sweeps {
		rows, err := b.sweep(s)
		if err != nil {
			return err
		}
		p.charts = append(p.charts, namedChart{s.name, s.chart(rows)})
	}
	p.charts = append(p.charts, namedChart{"threads", threadsChart(p.rows)})
	p.identities = b.identities()
	p.machine = describeMachine()
	p.bench, p.took = b, time.Since(began)
	return p.write(b.page)
}

// page is docs/benchmarks.md.
type page struct {
	rows       []row
	peers      []row
	profiles   []string
	startup    startup
	startupErr error
	charts     []namedChart
	identities []identity
	machine    machine
	bench      *bench
	took       time.Duration
}

type namedChart struct {
	name string
	chart
}

func (p *page) write(path string) error {
	var b bytes.Buffer
	p.text(&b)
	folder := filepath.Join(filepath.Dir(path), "benchmarks")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	b.WriteString("\n## How the time of a step grows\n\nOne thread, PyTorch tuned; both axes are logarithmic but for shares.\n")
	for _, c := range p.charts {
		picture := c.svg()
		if picture == nil {
			continue
		}
		name := c.name + ".svg"
		if err := os.WriteFile(filepath.Join(folder, name), picture, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n![%s, by %s](benchmarks/%s)\n", c.title, c.x.label, name)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// text is the page up to its pictures.
func (p *page) text(b *bytes.Buffer) {
	m := p.machine
	fmt.Fprintf(b, `# Benchmarks

Training steps beside PyTorch's, on the same models, weights and batches. Made by

    go run ./bench

in %s at revision %s. A ratio is our time by theirs: below 1 we are faster.

| | |
|---|---|
| processor | %s, %d cores |
| peak of one thread, measured with %s | %.0f GFLOP/s |
| memory | %s |
| system | %s, %s |
| compared with | %s |

Both sides make steps in turn, %d rounds of them with a gap in between; a ratio is
the median of the rounds' ratios. A step is all that training does with a batch:
loss, gradients, L1 of %g, AdamW with a decay of %g on weights, at a learning rate
of %g (%g with batch normalisation). PyTorch is given L1 as %s. Before that both make %d steps whose
losses have to agree within %g, or the row does not count. Batch normalisation
takes the statistics of the batch, but where only the head is trained.

PyTorch is measured in two states. *Installed* is how the distribution has it.
*Tuned* sets

    %s

without which its allocator gives memory back after each operation and its matrix
products leave AVX-512 aside on some processors. Both are told their number of
threads (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS).

## Time of a step

`, p.took.Round(time.Minute), or(m.revision, "unknown"), or(m.processor, "unknown"), m.cores, m.isa, m.peak/1e9,
		or(m.memory, "unknown"), m.system, m.golang, p.versions(), p.bench.rounds, l1, decay, usualRate, lowRate,
		map[string]string{"loss": "a term of the loss", "sign": "the sign of the weights, added to the gradients"}[p.bench.l1As],
		firstSteps, agreement, strings.Join(tuning, " \\\n    "))

	b.WriteString("| workload (batch) | threads | ours, ms | PyTorch tuned, ms | ratio | goal | PyTorch installed, ms | ratio | goal | losses differ by |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, w := range workloads {
		for _, n := range []int{1, 2} {
			p.timeLine(b, w, n)
		}
	}
	p.notes(b)
	p.besidePeers(b)
	p.memory(b)
	p.beginning(b)
	p.identity(b)
	if len(p.profiles) > 0 {
		b.WriteString("\n## Where the time goes in rows that miss their goal\n")
		for _, text := range p.profiles {
			fmt.Fprintf(b, "\n```\n%s```\n", text)
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
	for _, r := range p.rows {
		if r.Workload == w.name && r.Threads == threads && r.Torch == state {
			return r
		}
	}
	return row{}
}

// misses reports whether a workload is slower than it is meant to be.
func (p *page) misses(w workload, threads int) bool {
	above := func(r row, goal float64) bool { return goal > 0 && r.Ratio != nil && *r.Ratio > goal }
	return above(p.of(w, threads, tuned), w.goalTuned) || above(p.of(w, threads, installed), w.goalInstalled)
}

func (p *page) timeLine(b *bytes.Buffer, w workload, threads int) {
	first, second := p.of(w, threads, tuned), p.of(w, threads, installed)
	goals := [2]float64{w.goalTuned, w.goalInstalled}
	if w.mode == "evaluate" {
		p.line(b, w.title+", against ONNX Runtime", w.batch, threads, p.of(w, threads, withONNXRuntime), row{}, goals)
		goals = [2]float64{}
	}
	p.line(b, w.title, w.batch, threads, first, second, goals)
}

func (p *page) line(b *bytes.Buffer, title string, batch, threads int, first, second row, goals [2]float64) {
	ours := first.Ours
	if ours == nil {
		ours = second.Ours
	}
	goal := func(v float64) string {
		if v == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f", v)
	}
	ratio := func(r row) string {
		if r.Ratio == nil {
			return "–"
		}
		return fmt.Sprintf("**%.2f** (%.2f–%.2f)", *r.Ratio, r.Low, r.High)
	}
	fmt.Fprintf(b, "| %s (%d) | %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", title, batch, threads,
		number(ours, 3), number(first.Theirs, 3), ratio(first), goal(goals[0]), number(second.Theirs, 3), ratio(second), goal(goals[1]),
		number(first.LossDiff, -1))
}

// notes says why something is missing.
func (p *page) notes(b *bytes.Buffer) {
	said := map[string]bool{}
	for _, r := range p.rows {
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
	b.WriteString("\n## Beside other libraries in Go\n\nOn one thread. onnx-gomlx is v0.5.0 with its backend in pure Go; gorgonia is its stock operations, tape machine and Adam.\n\n")
	b.WriteString("| workload |")
	for _, peer := range peers {
		fmt.Fprintf(b, " ours, ms | %s, ms | ratio |", peer.name)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", 3*len(peers)))
	notes := ""
	for _, name := range peerWorkloads {
		fmt.Fprintf(b, "| %s |", name)
		for _, peer := range peers {
			for _, r := range p.peers {
				if r.Workload != name || r.Torch != peer.name {
					continue
				}
				fmt.Fprintf(b, " %s | %s | %s |", number(r.Ours, 3), number(r.Theirs, 3), number(r.Ratio, 4))
				if r.Note != "" {
					notes += fmt.Sprintf("- %s, %s: %s\n", name, peer.name, r.Note)
				}
			}
		}
		b.WriteString("\n")
	}
	if notes != "" {
		b.WriteString("\n" + notes)
	}
}

func (p *page) memory(b *bytes.Buffer) {
	b.WriteString("\n## Memory\n\nThe most that the process had, from its start (VmHWM), on one thread; and allocations of ours per step.\n\n")
	b.WriteString("| workload | ours, MB | PyTorch tuned, MB | ratio | PyTorch installed, MB | ratio | allocations |\n|---|---|---|---|---|---|---|\n")
	ratio := func(r row) string {
		if r.OursMB == nil || r.TheirsMB == nil {
			return "–"
		}
		return fmt.Sprintf("%.2f", *r.OursMB / *r.TheirsMB)
	}
	for _, w := range workloads {
		first, second := p.of(w, 1, tuned), p.of(w, 1, installed)
		fmt.Fprintf(b, "| %s (%d) | %s | %s | %s | %s | %s | %s |\n", w.title, w.batch, number(first.OursMB, 0),
			number(first.TheirsMB, 0), ratio(first), number(second.TheirsMB, 0), ratio(second), number(first.Allocs, 1))
	}
}

func (p *page) beginning(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## From the start of the process to the end of the first step\n\nA multi-layer perceptron of %.0f MB, batch %d, all in the page cache.\n\n", p.startup.megabytes, bigModel.batch)
	if p.startupErr != nil {
		fmt.Fprintf(b, "Not measured: %v\n", p.startupErr)
		return
	}
	b.WriteString("| | seconds |\n|---|---|\n")
	fmt.Fprintf(b, "| ours | %.2f |\n", p.startup.ours)
	if p.startup.tuned > 0 {
		fmt.Fprintf(b, "| PyTorch, tuned | %.2f |\n| PyTorch, installed | %.2f |\n", p.startup.tuned, p.startup.installed)
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
