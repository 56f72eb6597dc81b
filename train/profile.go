package train

import (
	"cmp"
	"slices"
	"time"
)

// Cost is what one kind of work came to over a run.
type Cost struct {
	// Work is the kind of an operation, such as "Conv", or a part of a step that
	// is none: "examples" are read, results are "checked", gradients "clipped",
	// and the "optimizer" moves the weights.
	Work    string  `json:"work"`
	Calls   int     `json:"calls"`
	Seconds float64 `json:"seconds"`
	// Flops are floating-point operations, a multiply-add being two, of the kinds
	// of work that are bound by them.
	Flops float64 `json:"flops,omitempty"`
	// Bytes is the size of operands and results: the least that has to be moved.
	Bytes float64 `json:"bytes,omitempty"`
}

// costs adds up the parts of a step that are no operations. A nil one measures
// nothing.
type costs struct {
	rows []Cost
}

func (c *costs) start() time.Time {
	if c == nil {
		return time.Time{}
	}
	return time.Now()
}

func (c *costs) add(work string, start time.Time) {
	if c == nil {
		return
	}
	c.merge(Cost{Work: work, Calls: 1, Seconds: time.Since(start).Seconds()})
}

// merge adds a cost to the one of the same work.
func (c *costs) merge(more Cost) {
	i := slices.IndexFunc(c.rows, func(row Cost) bool { return row.Work == more.Work })
	if i < 0 {
		c.rows = append(c.rows, more)
		return
	}
	row := &c.rows[i]
	row.Calls += more.Calls
	row.Seconds += more.Seconds
	row.Flops += more.Flops
	row.Bytes += more.Bytes
}

// profile is what the network's operations and the parts around them came to, the
// most costly first; nil if that was not measured.
func (n *network) profile() []Cost {
	if n.costs == nil {
		return nil
	}
	all := costs{rows: slices.Clone(n.costs.rows)}
	for _, p := range n.passes {
		for _, row := range p.machine.Profile() {
			all.merge(Cost{Work: row.Op, Calls: row.Calls, Seconds: row.Time.Seconds(), Flops: row.Flops, Bytes: row.Bytes})
		}
	}
	slices.SortFunc(all.rows, func(a, b Cost) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Work, b.Work))
	})
	return all.rows
}
