package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"finetune/internal/kernel"
	"finetune/train"
)

// measurePeak is how many floating-point operations a second the threads in use
// can do together: the best of several measurements, for other programs may take
// some of the time.
func measurePeak() float64 {
	const tries = 9
	best := 0.0
	for range tries {
		best = max(best, kernel.Peak())
	}
	return best * float64(kernel.Threads())
}

// profile prints where the time of training went, and how near to peak each kind
// of work came.
func (c *console) profile(costs []train.Cost, peak float64) {
	total := 0.0
	for _, cost := range costs {
		total += cost.Seconds
	}
	var rows []table.Row
	for _, cost := range costs {
		row := table.Row{cost.Work, thousands(cost.Calls), fmt.Sprintf("%.1f ms", 1e3*cost.Seconds), percent(cost.Seconds / total), "", "", "", ""}
		if cost.Flops > 0 {
			row[4], row[5] = fmt.Sprintf("%.1f", cost.Flops/cost.Seconds/1e9), percent(cost.Flops/cost.Seconds/peak)
		}
		if cost.Bytes > 0 {
			row[6], row[7] = byteCount(int64(cost.Bytes)), fmt.Sprintf("%.1f", cost.Bytes/cost.Seconds/1e9)
		}
		rows = append(rows, row)
	}
	header := table.Row{"work", "calls", "time", "share", "GFLOP/s", "of peak", "operands", "GB/s"}
	c.printf("\n")
	c.table(header, rows, "calls", "time", "share", "GFLOP/s", "of peak", "operands", "GB/s")
	c.notef("the peak of %d threads is %.0f GFLOP/s, measured with %s", kernel.Threads(), peak/1e9, kernel.ISA())
}
