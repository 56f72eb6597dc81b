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
//	N:M   of M neighbours along the inputs, such as 4, N stay: see Param.InAxis
//	all that a [Grouping] may be: filters, rows, columns, blocks such as 1x4
//
// Of fewer than M neighbours, at the edge, no more stay than of M.
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
	if !found {
		return 0, 0, false
	}
	n, errN := strconv.Atoi(left)
	m, errM := strconv.Atoi(right)
	return n, m, errN == nil && errM == nil && 0 < n && n < m
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
	if Grouping(pt).Check() != nil {
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

// pruneNeighbours prunes all but so many of each m neighbours of p along its
// inputs: the lowest scores first, of equal ones the first.
func (p *Param) pruneNeighbours(score []float32, m int, sparsity float64) {
	l := p.linear()
	length, stride := l.inputs, l.kernel
	if l.inFirst {
		stride *= l.outputs
	}
	stay := m - int(float64(m)*sparsity+1e-6)
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
	groups := g.tiling(p)
	all := &Param{Mask: make([]bool, groups.groups())} // a weight is a group
	for _, norm := range groups.norms(score, nil) {
		all.Value = append(all.Value, float32(norm))
	}
	groups.each(func(group, lo, hi int) {
		for i := lo; i < hi; i++ {
			all.Mask[group] = all.Mask[group] || p.kept(i)
		}
	})
	PruneMagnitude(all, sparsity)
	p.needMask()
	groups.each(func(group, lo, hi int) {
		for i := lo; i < hi; i++ {
			p.Mask[i] = p.Mask[i] && all.Mask[group]
		}
	})
	p.ApplyMask()
}
