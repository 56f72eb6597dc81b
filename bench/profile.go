package main

import (
	"fmt"
	"text/tabwriter"
)

// profiles says where the time of each workload goes.
func (b *bench) profiles() error {
	list, threads := b.wanted()
	for _, w := range list {
		for _, n := range threads {
			if w.mode != "" {
				fmt.Fprintf(b.log, "%s: only training is profiled\n", w.name)
				continue
			}
			if err := b.printProfile(w, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// printProfile says where the time of our steps goes.
func (b *bench) printProfile(w workload, threads int) error {
	a, err := b.costs(w, threads)
	if err != nil {
		fmt.Fprintf(b.log, "%s: %v\n", w.name, err)
		return nil
	}
	total := 0.0
	for _, c := range a.Profile {
		total += c.Seconds
	}
	fmt.Fprintf(b.out, "%s, batch %d, %d threads: %.3f ms per step; peak %.0f GFLOP/s per thread\n",
		w.title, w.batch, threads, 1e3*total/float64(b.profile), a.Peak/1e9)
	table := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "work\tcalls\tms\tshare\tGFLOP/s\tof peak\tGB/s\t")
	for _, c := range a.Profile {
		flops, share, bytes := "", "", ""
		if c.Flops > 0 {
			flops, share = fmt.Sprintf("%.1f", c.Flops/c.Seconds/1e9), fmt.Sprintf("%.0f %%", 100*c.Flops/c.Seconds/a.Peak/float64(threads))
		}
		if c.Bytes > 0 {
			bytes = fmt.Sprintf("%.1f", c.Bytes/c.Seconds/1e9)
		}
		fmt.Fprintf(table, "%s\t%.1f\t%.3f\t%.1f %%\t%s\t%s\t%s\t\n", c.Work, float64(c.Calls)/float64(b.profile),
			1e3*c.Seconds/float64(b.profile), 100*c.Seconds/total, flops, share, bytes)
	}
	return table.Flush()
}

// costs runs a profiled job.
func (b *bench) costs(w workload, threads int) (answer, error) {
	j := w.job(w.size, w.batch, threads)
	j.Profile = b.profile
	if err := b.cache.prepare(&j, w.tokens, b.python); err != nil {
		return answer{}, err
	}
	p, err := startOurs(j)
	if err != nil {
		return answer{}, err
	}
	defer p.stop()
	return p.first, nil
}
