package optim

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"finetune/internal/kernel"
)

// Grouping says which weights of a parameter belong together, for [Pattern] and
// for group lasso:
//
//	filters        all weights of an output: see Param.OutAxis
//	rows, columns  of the matrix that the first axis and all others make
//	RxC            blocks of that matrix, such as 4x1; smaller at the edges
//
// The empty grouping is filters. The rows of a layer whose outputs come first, as
// in Conv, are its filters, and the columns of MatMul are.
type Grouping string

// blocks are R and C of a grouping RxC.
func (g Grouping) blocks() (rows, columns int, ok bool) {
	r, c, found := strings.Cut(string(g), "x")
	rows, errR := strconv.Atoi(r)
	columns, errC := strconv.Atoi(c)
	return rows, columns, found && errR == nil && errC == nil && rows > 0 && columns > 0
}

// Check reports a grouping that is none.
func (g Grouping) Check() error {
	switch _, _, ok := g.blocks(); {
	case ok, g == "", g == "rows", g == "columns", g == "filters":
		return nil
	}
	return fmt.Errorf("groups: %q is not one of rows, columns, filters or RxC such as 4x1", string(g))
}

// tiling lays the values of a parameter out as a matrix that is covered by tiles,
// each of them a group, row by row.
type tiling struct {
	rows, columns int
	high, wide    int // of a tile, but at the edges
}

// tiling is the grouping of p. It panics if there is no such grouping.
func (g Grouping) tiling(p *Param) tiling {
	rows, columns := 1, len(p.Value)
	if p.Rank() > 0 && p.Shape[0] > 0 {
		rows, columns = p.Shape[0], len(p.Value)/p.Shape[0]
	}
	t := tiling{rows: rows, columns: columns}
	r, c, blocks := g.blocks()
	switch {
	case blocks:
		t.high, t.wide = r, c
	case g == "rows":
		t.high, t.wide = 1, columns
	case g == "columns":
		t.high, t.wide = rows, 1
	case g == "filters" || g == "":
		switch l := p.linear(); {
		case l.inFirst:
			t = tiling{l.parts * l.inputs, l.outputs * l.kernel, l.inputs, l.kernel}
		default:
			t = tiling{l.parts * l.outputs, l.inputs * l.kernel, 1, l.inputs * l.kernel}
		}
	default:
		panic("optim: " + g.Check().Error())
	}
	t.high, t.wide = max(1, min(t.high, t.rows)), max(1, min(t.wide, t.columns))
	return t
}

// across and down are how many tiles lie beside and below each other.
func (t tiling) across() int { return (t.columns + t.wide - 1) / t.wide }
func (t tiling) down() int   { return (t.rows + t.high - 1) / t.high }

// groups is how many there are.
func (t tiling) groups() int { return t.down() * t.across() }

// size is the number of elements of a group.
func (t tiling) size(group int) int {
	row, column := group/t.across()*t.high, group%t.across()*t.wide
	return min(t.high, t.rows-row) * min(t.wide, t.columns-column)
}

// stripLen is about how wide the part of a row is that one task takes.
const stripLen = 256

// stretches calls f for stretches of rows, in parallel: elements [lo, hi), of which
// the first t.wide are of a group, those after them of the next, and so on. What
// belongs to one group comes in order and from one task.
func (t tiling) stretches(f func(group, lo, hi int)) {
	if t.rows*t.columns == 0 {
		return
	}
	across := t.across()
	strip := max(1, stripLen/t.wide) // tiles of a task
	strips := (across + strip - 1) / strip
	kernel.Parallel(t.down()*strips, func(task int) {
		down, first := task/strips, task%strips*strip
		lo, hi := first*t.wide, min((first+strip)*t.wide, t.columns)
		for row := down * t.high; row < min((down+1)*t.high, t.rows); row++ {
			f(down*across+first, row*t.columns+lo, row*t.columns+hi)
		}
	})
}

// each calls f for the groups one by one, a run of elements [lo, hi) at a time, as
// stretches does.
func (t tiling) each(f func(group, lo, hi int)) {
	t.stretches(func(group, lo, hi int) {
		for ; lo < hi; group, lo = group+1, lo+t.wide {
			f(group, lo, min(lo+t.wide, hi))
		}
	})
}

// norms are the Euclidean norms of the groups of x. Where kept is false, unless
// nil, elements do not count.
func (t tiling) norms(x []float32, kept []bool) []float64 {
	norms := make([]float64, t.groups())
	t.stretches(func(group, lo, hi int) {
		for ; lo < hi; group, lo = group+1, lo+t.wide {
			norms[group] += sumSquares(x, kept, lo, min(lo+t.wide, hi))
		}
	})
	for i, sum := range norms {
		norms[i] = math.Sqrt(sum)
	}
	return norms
}

// sumSquares is Σx² of elements [lo, hi) that are kept.
func sumSquares(x []float32, kept []bool, lo, hi int) float64 {
	switch {
	case hi == lo+1 && (kept == nil || kept[lo]):
		return float64(x[lo]) * float64(x[lo])
	case kept == nil:
		return kernel.SumSquares(x[lo:hi])
	}
	return kernel.SumSquaresKept(x[lo:hi], kept[lo:hi])
}

// shrink multiplies the groups of x that have a factor below 1 by it. Those of 0
// or less become zero.
func (t tiling) shrink(x []float32, factors []float64) {
	t.stretches(func(group, lo, hi int) {
		for ; lo < hi; group, lo = group+1, lo+t.wide {
			run := x[lo:min(lo+t.wide, hi)]
			if by := factors[group]; by <= 0 {
				clear(run)
			} else if by < 1 { // not for NaN
				factor := float32(by)
				for i := range run {
					run[i] *= factor
				}
			}
		}
	})
}
