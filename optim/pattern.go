package optim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Pattern says which weights of a parameter are pruned together. The empty one
// is each by itself. Others are
//
//	N:M       of M neighbours along the inputs, such as 4, N stay
//	RxC       blocks of a matrix: 1x4, 4x1, 16x1
//	rows, columns
//	filters   all weights of an output
//
// The matrix is the one that the first axis and all others make, as with
// [Grouping]. A filter is a row of it or, where the inputs come first as in MatMul,
// a column. Blocks at the edges may be smaller, and so may the last of the
// neighbours: of fewer than M no more stay than of M.
//
// A group is as important as the Euclidean norm of the scores of its weights,
// and of n groups exactly round(n·sparsity) are pruned. N:M means a sparsity of
// 1 − N/M, and on the way there ⌊M·sparsity⌋ of the M go.
//
// Li, Kadav, Durdanovic, Samet and Graf, "Pruning Filters for Efficient ConvNets",
// ICLR 2017; Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021,
// https://arxiv.org/abs/2104.08378.
type Pattern string

// neighbours are N and M of a pattern N:M.
func (pt Pattern) neighbours() (n, m int, ok bool) {
	left, right, found := strings.Cut(string(pt), ":")
	n, errN := strconv.Atoi(left)
	m, errM := strconv.Atoi(right)
	return n, m, found && errN == nil && errM == nil && 0 < n && n < m
}

// Sparsity is the share of zeros that the pattern means, 0 if it means none.
func (pt Pattern) Sparsity() float64 {
	if n, m, ok := pt.neighbours(); ok {
		return float64(m-n) / float64(m)
	}
	return 0
}

// Check reports a pattern that is none.
func (pt Pattern) Check() error {
	if _, _, ok := pt.neighbours(); ok || pt == "" {
		return nil
	}
	if _, _, err := Grouping(pt).size(1, 1); err != nil {
		return fmt.Errorf("pattern: %q is not one of N:M such as 2:4, RxC such as 4x1, rows, columns, filters", string(pt))
	}
	return nil
}

// checkSparsity reports a sparsity that is not that of N:M.
func (pt Pattern) checkSparsity(sparsity float64) error {
	if want := pt.Sparsity(); want > 0 && math.Abs(sparsity-want) > 1e-6 {
		return fmt.Errorf("sparsity is %g, but the pattern %s means %g", sparsity, pt, want)
	}
	return nil
}

// grouping is the pattern of groups for p.
func (pt Pattern) grouping(p *Param) Grouping {
	if pt == "filters" && p.InAxis() == 0 {
		return "columns"
	}
	return Grouping(pt)
}

// InAxis is the axis of a weight along which its inputs lie: input channels of a
// convolution, features of a matrix.
func (p *Param) InAxis() int {
	switch {
	case p.Op == "RNN" || p.Op == "GRU" || p.Op == "LSTM":
		return p.Rank() - 1
	case p.InFirst && p.Op == "MatMul":
		return max(0, p.Rank()-2)
	case p.InFirst:
		return 0
	}
	return min(1, p.Rank()-1)
}

// pruneNeighbours prunes all but so many of each m neighbours of p along its
// inputs: the lowest scores first, of equal ones the first.
func (p *Param) pruneNeighbours(score []float32, m int, sparsity float64) {
	axis := p.InAxis()
	if axis < 0 || len(p.Value) == 0 {
		return
	}
	stay := m - int(float64(m)*sparsity+1e-6)
	length, stride := p.Shape[axis], 1
	for _, d := range p.Shape[axis+1:] {
		stride *= d
	}
	p.needMask()
	at := make([]int, 0, m)
	for outer := 0; outer < len(p.Value); outer += length * stride {
		for inner := range stride {
			for first := 0; first < length; first += m {
				at = at[:0]
				for i := first; i < min(first+m, length); i++ {
					if k := outer + i*stride + inner; p.Mask[k] {
						at = append(at, k)
					}
				}
				p.dropLowest(score, at, len(at)-stay)
			}
		}
	}
	p.ApplyMask()
}

// dropLowest masks n of the weights at some places.
func (p *Param) dropLowest(score []float32, at []int, n int) {
	for ; n > 0; n-- {
		low := -1
		for _, k := range at {
			if p.Mask[k] && (low < 0 || rankOf(score[k]) < rankOf(score[low])) {
				low = k
			}
		}
		p.Mask[low] = false
	}
}

// rankOf orders scores by size, NaN last.
func rankOf(score float32) uint32 { return math.Float32bits(score) &^ signBit }

// pruneGroups prunes the groups of p with the smallest norms of scores until a
// share sparsity of them is pruned, never the last.
func (p *Param) pruneGroups(score []float32, g Grouping, sparsity float64) {
	m, n := p.matrix()
	rows, columns, err := g.size(m, n)
	if err != nil {
		panic("optim: " + err.Error())
	}
	if len(p.Value) == 0 {
		return
	}
	across := (n + columns - 1) / columns
	group := func(i int) int { return i/n/rows*across + i%n/columns }
	sums := make([]float64, (m+rows-1)/rows*across)
	all := &Param{Value: make([]float32, len(sums)), Mask: make([]bool, len(sums))} // a weight is a group
	for i, s := range score {
		sums[group(i)] += float64(s) * float64(s)
		all.Mask[group(i)] = all.Mask[group(i)] || p.kept(i)
	}
	for i, s := range sums {
		all.Value[i] = float32(math.Sqrt(s))
	}
	PruneMagnitude(all, sparsity)
	p.needMask()
	for i := range p.Mask {
		p.Mask[i] = p.Mask[i] && all.Mask[group(i)]
	}
	p.ApplyMask()
}
