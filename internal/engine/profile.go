package engine

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// ProfileRow is what operations of one kind cost.
type ProfileRow struct {
	Op    string // kind of the operation
	Calls int
	Time  time.Duration
	Flops float64 // floating-point operations, as op.Op.Flops counts them
	Bytes float64 // of operands and results: the least that has to be moved
}

type profile struct {
	rows  []ProfileRow
	row   []int     // of each step
	bytes []float64 // of each step
}

// StartProfile makes later runs measure each operation, and starts from zero.
// It costs some 100 ns per operation.
func (m *Machine) StartProfile() {
	p := &profile{row: make([]int, len(m.steps)), bytes: make([]float64, len(m.steps))}
	at := map[string]int{}
	for i, s := range m.steps {
		row, ok := at[s.op.Name]
		if !ok {
			row = len(p.rows)
			at[s.op.Name] = row
			p.rows = append(p.rows, ProfileRow{Op: s.op.Name})
		}
		p.row[i] = row
		p.bytes[i] = float64(m.plan.moved(i))
	}
	m.profile = p
}

// Profile is what was measured since StartProfile, the most costly kind first,
// and nil if nothing was.
func (m *Machine) Profile() []ProfileRow {
	if m.profile == nil {
		return nil
	}
	rows := slices.Clone(m.profile.rows)
	slices.SortStableFunc(rows, func(a, b ProfileRow) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Op, b.Op))
	})
	return rows
}

// runTimed is Run's loop with a clock.
func (m *Machine) runTimed(ctx context.Context) error {
	start := time.Now()
	for i := range m.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.do(i); err != nil {
			return err
		}
		end := time.Now()
		row := &m.profile.rows[m.profile.row[i]]
		row.Calls++
		row.Time += end.Sub(start)
		row.Flops += m.steps[i].op.Flops
		row.Bytes += m.profile.bytes[i]
		start = end
	}
	return nil
}
