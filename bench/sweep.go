package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// sweep is how the time of a step grows with one size, all else being equal.
type sweep struct {
	name, title, axis string
	workload          string
	points            []int
	percent           bool // points are shares of 100, not on a logarithmic axis

	// at changes a job to a point.
	at func(w workload, point int) (size, batch int, sparsity float64)
}

var sweeps = []sweep{
	{
		name: "batch", title: "CNN 28×28", axis: "batch", workload: "cnn",
		points: []int{1, 2, 4, 8, 16, 32, 64, 128, 256}, at: byBatch,
	},
	{
		name: "batch-mlp", title: "MLP 784-512-10", axis: "batch", workload: "mlp-mnist",
		points: []int{1, 2, 4, 8, 16, 32, 64, 128, 256}, at: byBatch,
	},
	{
		name: "image", title: "ResNet-18, batch 8", axis: "side of the image", workload: "resnet18",
		points: []int{32, 64, 96, 128, 160, 192, 224}, at: bySize,
	},
	{
		name: "tokens", title: "Transformer 4 layers × 256, batch 8", axis: "tokens", workload: "transformer",
		points: []int{16, 32, 64, 128, 256, 512}, at: bySize,
	},
	{
		name: "sparsity", title: "MLP 1024-1024-100, batch 256", axis: "zeros in the weights, %", workload: "mlp-large",
		points: []int{0, 50, 70, 80, 90, 95, 98}, percent: true, at: bySparsity,
	},
	{
		name: "sparsity-cnn", title: "CNN 28×28, batch 64", axis: "zeros in the weights, %", workload: "cnn",
		points: []int{0, 50, 70, 80, 90, 95, 98}, percent: true, at: bySparsity,
	},
	{
		name: "sparsity-resnet", title: "ResNet-18 at 224, batch 8", axis: "zeros in the weights, %", workload: "resnet18",
		points: []int{0, 50, 70, 80, 90, 95, 98}, percent: true, at: bySparsity,
	},
}

func byBatch(w workload, n int) (int, int, float64) { return w.size, n, 0 }
func bySize(w workload, n int) (int, int, float64)  { return n, w.batch, 0 }
func bySparsity(w workload, share int) (int, int, float64) {
	return w.size, w.batch, float64(share) / 100
}

// sweepPace is enough for a curve.
var sweepPace = pace{rounds: 5, losses: 5, limit: 10 * time.Second}

// measureGrowth measures curves of ours and of tuned PyTorch, on one thread.
func (b *bench) measureGrowth() error {
	state := tuned
	if b.python == nil {
		state = alone
	}
	for _, s := range sweeps {
		if b.only != "" && s.workload != b.only {
			continue
		}
		w, err := find(s.workload)
		if err != nil {
			return err
		}
		for _, point := range s.points {
			size, batch, sparsity := s.at(w, point)
			if err := b.measure("growth", s.place(point), func(r *result) error {
				one := b.row(w, setting{size: size, batch: batch, threads: 1, sparsity: sparsity, state: state, pace: sweepPace})
				r.Row = &one
				return one.print(b.log, false)
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// place is the name of a point among the results.
func (s sweep) place(point int) string { return fmt.Sprintf("%s/%d", s.name, point) }

// chart draws the curves.
func (s sweep) chart(from *results) chart {
	c := chart{title: s.title, x: axis{label: s.axis, log: !s.percent}, y: axis{label: "milliseconds per step", log: true}}
	ours, theirs := curve{name: "finetune"}, curve{name: "PyTorch, tuned"}
	for _, point := range s.points {
		x, r := float64(point), from.row("growth", s.place(point))
		c.x.marks = append(c.x.marks, x)
		if r.Ours != nil {
			ours.points = append(ours.points, [2]float64{x, *r.Ours})
		}
		if r.Theirs != nil {
			theirs.points = append(theirs.points, [2]float64{x, *r.Theirs})
		}
	}
	c.curves = []curve{ours, theirs}
	return c
}

// relative prints how long our steps and PyTorch's take with zeros in the weights,
// relative to those without.
func (p *page) relative(b *bytes.Buffer) {
	var points []int
	lines := ""
	for _, s := range sweeps {
		dense := p.results.row("growth", s.place(0))
		if !s.percent || dense.Ours == nil {
			continue
		}
		points = s.points
		ours, theirs := "", ""
		for _, point := range points {
			share := func(of func(r row) *float64) string {
				now, before := of(p.results.row("growth", s.place(point))), of(dense)
				if now == nil || before == nil {
					return " – |"
				}
				return fmt.Sprintf(" %.2f |", *now / *before)
			}
			ours += share(func(r row) *float64 { return r.Ours })
			theirs += share(func(r row) *float64 { return r.Theirs })
		}
		lines += fmt.Sprintf("| %s |%s\n| – PyTorch, which multiplies by zero |%s\n", s.title, ours, theirs)
	}
	if lines == "" {
		return
	}
	b.WriteString("\nTime of a step by the share of zeros, in any places, relative to none. What is zero is\nleft out where that takes less time (docs/design/0006-sparse-weights.md).\n\n| |")
	for _, point := range points {
		fmt.Fprintf(b, " %d %% |", point)
	}
	fmt.Fprintf(b, "\n|---|%s\n%s", strings.Repeat("---|", len(points)), lines)
}

// threadsChart draws how many steps a second all processors make together, by
// the number of threads, relative to one.
func threadsChart(from *results) chart {
	c := chart{title: "Speed on more threads, relative to one", x: axis{label: "threads", marks: []float64{1, 2}}, y: axis{label: "times as fast"}}
	for _, w := range workloads {
		if w.name != "mlp-large" && w.name != "resnet18" && w.name != "transformer" {
			continue
		}
		ours, theirs := curve{name: w.title}, curve{name: w.title + ", PyTorch", dashed: true}
		one := from.row("table", tableName(w, 1, tuned))
		for _, threads := range []int{1, 2} {
			r := from.row("table", tableName(w, threads, tuned))
			if r.Ours != nil && one.Ours != nil {
				ours.points = append(ours.points, [2]float64{float64(threads), *one.Ours / *r.Ours})
			}
			if r.Theirs != nil && one.Theirs != nil {
				theirs.points = append(theirs.points, [2]float64{float64(threads), *one.Theirs / *r.Theirs})
			}
		}
		c.curves = append(c.curves, ours, theirs)
	}
	return c
}
