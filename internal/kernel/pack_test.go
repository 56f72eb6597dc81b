package kernel

import (
	"fmt"
	"testing"
)

func TestPack(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, k := range []int{1, 2, 3, 4, 5, 7, 8, 16, 31, 66} {
			for _, cols := range []int{1, 3, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 48, 63, 64, 65, 100} {
				for _, gap := range []int{0, 5} {
					what := fmt.Sprintf("%d by %d, gap %d", k, cols, gap)
					pitch := panelPitch(k)
					rows, columns := fenced(t, noise(1, k*(cols+gap)-gap)), fenced(t, noise(1, cols*(k+gap)-gap))
					byRows, check := guarded(t, blocks(cols, panelCols)*pitch, gap)
					active.packRows(byRows, rows, k, cols, cols+gap, pitch)
					check(what)
					byColumns, check := guarded(t, blocks(cols, panelCols)*pitch, gap)
					active.packColumns(byColumns, columns, k, cols, k+gap, pitch)
					check(what)
					for p := range k {
						for y := range cols {
							at := y/panelCols*pitch + p*panelCols + y%panelCols
							if got, want := byRows[at], rows[p*(cols+gap)+y]; got != want {
								t.Fatalf("rows, %s: element %d %d: got %v, want %v", what, p, y, got, want)
							}
							if got, want := byColumns[at], columns[y*(k+gap)+p]; got != want {
								t.Fatalf("columns, %s: element %d %d: got %v, want %v", what, p, y, got, want)
							}
						}
					}
				}
			}
		}
	})
}
