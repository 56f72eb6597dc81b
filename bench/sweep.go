package main

import "fmt"

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
}

func byBatch(w workload, n int) (int, int, float64) { return w.size, n, 0 }
func bySize(w workload, n int) (int, int, float64)  { return n, w.batch, 0 }
func bySparsity(w workload, share int) (int, int, float64) {
	return w.size, w.batch, float64(share) / 100
}

// sweepRounds is enough for a curve.
const sweepRounds = 3

// sweep measures a curve of ours and of tuned PyTorch, on one thread.
func (b *bench) sweep(s sweep) (rows []row, err error) {
	for _, point := range s.points {
		w, err := find(s.workload)
		if err != nil {
			return nil, err
		}
		size, batch, sparsity := s.at(w, point)
		fmt.Fprintf(b.log, "%s: %s %d\n", s.title, s.axis, point)
		rows = append(rows, b.row(w, setting{size: size, batch: batch, threads: 1, sparsity: sparsity, state: tuned, rounds: sweepRounds}))
	}
	return rows, nil
}

// chart draws the curves.
func (s sweep) chart(rows []row) chart {
	c := chart{title: s.title, x: axis{label: s.axis, log: !s.percent}, y: axis{label: "milliseconds per step", log: true}}
	ours, theirs := curve{name: "finetune"}, curve{name: "PyTorch, tuned"}
	for i, r := range rows {
		x := float64(s.points[i])
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

// threadsChart draws how many steps a second all processors make together, by
// the number of threads, relative to one.
func threadsChart(rows []row) chart {
	c := chart{title: "Speed on more threads, relative to one", x: axis{label: "threads", marks: []float64{1, 2}}, y: axis{label: "times as fast"}}
	for _, w := range workloads {
		if w.name != "mlp-large" && w.name != "resnet18" && w.name != "transformer" {
			continue
		}
		ours, theirs := curve{name: w.title}, curve{name: w.title + ", PyTorch", dashed: true}
		var one row
		for _, r := range rows {
			if r.Workload != w.name || r.Torch != tuned {
				continue
			}
			if r.Threads == 1 {
				one = r
			}
			if r.Ours != nil && one.Ours != nil {
				ours.points = append(ours.points, [2]float64{float64(r.Threads), *one.Ours / *r.Ours})
			}
			if r.Theirs != nil && one.Theirs != nil {
				theirs.points = append(theirs.points, [2]float64{float64(r.Threads), *one.Theirs / *r.Theirs})
			}
		}
		c.curves = append(c.curves, ours, theirs)
	}
	return c
}
