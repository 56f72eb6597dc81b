package optim

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"finetune/internal/kernel"
)

// Group lasso penalises whole groups of weights by their length, λ√n·‖w_g‖₂ for
// each group g of n weights, so that groups become zero together: a row, a column
// or a filter that can be left out of the network afterwards. After each step the
// proximal operator shortens each group, down to exact zeros:
//
//	w_g ← w_g · max(1 − ηλ√n/‖w_g‖, 0)
//
// Yuan and Lin, "Model selection and estimation in regression with grouped
// variables", Journal of the Royal Statistical Society B 68, 2006; Wen, Wu, Wang,
// Chen and Li, "Learning Structured Sparsity in Deep Neural Networks", NIPS 2016.

// Grouping says which weights of a parameter belong together. It is "rows",
// "columns", "filters", or blocks "RxC" such as 4x1. Rows, columns and blocks are
// those of the matrix that the first axis and all others make; a filter is a row
// of that, and a column one weight of every filter. Blocks at the edges may be
// smaller. The empty grouping is filters.
type Grouping string

// size is how many rows and columns of an m by n matrix a group has.
func (g Grouping) size(m, n int) (rows, columns int, err error) {
	switch g {
	case "", "rows", "filters":
		return 1, n, nil
	case "columns":
		return m, 1, nil
	}
	r, c, ok := strings.Cut(string(g), "x")
	rows, errR := strconv.Atoi(r)
	columns, errC := strconv.Atoi(c)
	if !ok || errR != nil || errC != nil || rows < 1 || columns < 1 {
		return 0, 0, fmt.Errorf("groups: %q is not one of rows, columns, filters or RxC such as 4x1", string(g))
	}
	return min(rows, max(m, 1)), min(columns, max(n, 1)), nil
}

// matrix is how many rows and columns p has: the first axis, and all others.
func (p *Param) matrix() (rows, columns int) {
	if p.Rank() == 0 || p.Shape[0] == 0 {
		return 1, len(p.Value)
	}
	return p.Shape[0], len(p.Value) / p.Shape[0]
}

// shrinkGroups shortens each group of p by t times the root of its size.
func (p *Param) shrinkGroups(g Grouping, t float64) {
	p.eachBand(g, func(group band) float64 {
		if keep := 1 - t*math.Sqrt(float64(group.size()))/group.norm(); keep <= 0 {
			group.scale(0)
		} else if keep < 1 { // not for NaN, which stays
			group.scale(float32(keep))
		}
		return 0
	})
}

// groupNorms is Σ √n·‖w_g‖ over the groups of p.
func (p *Param) groupNorms(g Grouping) float64 {
	return p.eachBand(g, func(group band) float64 { return math.Sqrt(float64(group.size())) * group.norm() })
}

// band is one group: a rectangle of a matrix with so many columns.
type band struct {
	value         []float32 // from the rectangle's first element on
	rows, columns int       // of the rectangle
	stride        int
}

func (g band) size() int { return g.rows * g.columns }

func (g band) norm() float64 {
	sum := 0.0
	for i := range g.rows {
		for _, v := range g.value[i*g.stride:][:g.columns] {
			sum += float64(v) * float64(v)
		}
	}
	return math.Sqrt(sum)
}

func (g band) scale(by float32) {
	for i := range g.rows {
		row := g.value[i*g.stride:][:g.columns]
		for j := range row {
			if by == 0 {
				row[j] = 0
			} else {
				row[j] *= by
			}
		}
	}
}

// eachBand calls f for each group of p, in parallel by rows of groups, and adds up
// what it returns in order. The grouping is one that has been checked.
func (p *Param) eachBand(g Grouping, f func(band) float64) float64 {
	m, n := p.matrix()
	rows, columns, err := g.size(m, n)
	if err != nil {
		panic("optim: " + err.Error())
	}
	if len(p.Value) == 0 {
		return 0
	}
	sums := make([]float64, (m+rows-1)/rows)
	kernel.Parallel(len(sums), func(i int) {
		high := min(rows, m-i*rows)
		for c := 0; c < n; c += columns {
			sums[i] += f(band{p.Value[i*rows*n+c:], high, min(columns, n-c), n})
		}
	})
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return total
}
