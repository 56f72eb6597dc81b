package engine

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// ProfileRow is the time spent in operations of one kind.
type ProfileRow struct {
	Op    string // kind of the operation
	Calls int
	Time  time.Duration
}

type profile struct {
	rows []ProfileRow
	row  []int // of each step
}

// StartProfile makes later runs measure each operation, and starts from zero.
// It costs some 100 ns per operation.
func (m *Machine) StartProfile() {
	m.profile = &profile{row: make([]int, len(m.steps))}
	at := map[string]int{}
	for i, s := range m.steps {
		row, ok := at[s.op.Name]
		if !ok {
			row = len(m.profile.rows)
			at[s.op.Name] = row
			m.profile.rows = append(m.profile.rows, ProfileRow{Op: s.op.Name})
		}
		m.profile.row[i] = row
	}
}

// StopProfile makes later runs measure nothing. What was measured is dropped.
func (m *Machine) StopProfile() { m.profile = nil }

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
		start = end
	}
	return nil
}
