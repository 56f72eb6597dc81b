package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"finetune/bench/protocol"
)

// row is the comparison of one workload in one setting. Times are medians over
// the rounds, of milliseconds per step; the ratio is the median of the rounds'
// own ratios. What could not be measured is nil.
type row struct {
	Workload string   `json:"workload"`
	Batch    int      `json:"batch"`
	Threads  int      `json:"threads"`
	Torch    string   `json:"torch"` // tuned, installed, or onnxruntime
	Ours     *float64 `json:"ours_ms"`
	Theirs   *float64 `json:"torch_ms"`
	Ratio    *float64 `json:"ratio"`     // nil also if the losses do not agree
	LossDiff *float64 `json:"loss_diff"` // largest relative difference in the first 20 steps, or in those there were time for
	OursMB   *float64 `json:"ours_mb"`   // peak memory
	TheirsMB *float64 `json:"torch_mb"`

	Allocs *float64 `json:"allocs,omitempty"` // ours, per step
	Low    float64  `json:"low,omitempty"`    // quartiles of the ratio
	High   float64  `json:"high,omitempty"`
	Note   string   `json:"note,omitempty"` // why something is missing
}

// fill sums up what was measured.
func (r *row) fill(j protocol.Job, ours, theirs *side) {
	if ours.works() {
		r.Ours, r.OursMB, r.Allocs = pointer(1e3*median(ours.seconds)), pointer(ours.megabytes), pointer(ours.allocs)
	}
	if theirs.works() {
		r.Theirs, r.TheirsMB = pointer(1e3*median(theirs.seconds)), pointer(theirs.megabytes)
	}
	if !ours.works() || !theirs.works() {
		return
	}
	if len(ours.seconds) == 0 || len(ours.seconds) != len(theirs.seconds) {
		return
	}
	common := min(len(ours.losses), len(theirs.losses))
	diff := lossDifference(ours.losses[:common], theirs.losses[:common], j.Mode == "evaluate")
	r.LossDiff = &diff
	if !(diff <= agreement) && j.L1As != without {
		r.Note = join(r.Note, fmt.Sprintf("does not count: losses differ by %.1g", diff))
		return
	}
	ratios := make([]float64, len(ours.seconds))
	for i := range ratios {
		ratios[i] = ours.seconds[i] / theirs.seconds[i]
	}
	r.Ratio = pointer(median(ratios))
	r.Low, r.High = quantile(ratios, 0.25), quantile(ratios, 0.75)
}

// lossDifference is the largest relative difference of two courses of the loss,
// or of their means.
func lossDifference(a, b []float64, means bool) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return math.NaN()
	}
	if means {
		a, b = []float64{mean(a)}, []float64{mean(b)}
	}
	worst := 0.0
	for i := range a {
		d := math.Abs(a[i]-b[i]) / math.Abs(b[i])
		if !(d <= worst) {
			worst = d
		}
	}
	return worst
}

// print writes the row as text or as JSON.
func (r row) print(to io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(to).Encode(r)
	}
	ratio := number(r.Ratio, 2)
	if r.Ratio != nil {
		ratio += fmt.Sprintf(" (%.2f–%.2f)", r.Low, r.High)
	}
	_, err := fmt.Fprintf(to, "%-13s batch %-3d %d threads, %-11s ours %8s ms, theirs %8s ms, ratio %-16s losses %-7s %s : %s MB, %s allocations  %s\n",
		r.Workload, r.Batch, r.Threads, r.Torch, number(r.Ours, 3), number(r.Theirs, 3), ratio,
		number(r.LossDiff, -1), number(r.OursMB, 0), number(r.TheirsMB, 0), number(r.Allocs, 1), r.Note)
	return err
}

// number writes v with so many decimals, or to one digit, or a dash for nil.
func number(v *float64, decimals int) string {
	switch {
	case v == nil:
		return "–"
	case decimals < 0:
		return fmt.Sprintf("%.0e", *v)
	}
	return fmt.Sprintf("%.*f", decimals, *v)
}

func pointer(v float64) *float64 { return &v }

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
