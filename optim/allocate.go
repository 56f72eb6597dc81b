package optim

import (
	"cmp"
	"math"
	"slices"
)

// PruneKernel prunes the smallest weights of each of params until exactly
// round(n·sparsity) of all their n weights are pruned, most in the layers that
// are largest: the density of each is proportional to
//
//	(n₁ + n₂ + …)/(n₁·n₂·…)
//
// over its axes, outputs, inputs and those of the kernel, but at most 1. It is
// called Erdős–Rényi-kernel, after random graphs of that density.
//
// Mocanu et al., "Scalable training of artificial neural networks with adaptive
// sparse connectivity inspired by network science", Nature Communications 9, 2018;
// Evci, Gale, Menick, Castro and Elsen, "Rigging the Lottery: Making All Tickets
// Winners", ICML 2020.
func PruneKernel(params []*Param, sparsity float64) {
	for i, k := range kernelCounts(params, sparsity) {
		if k > params[i].Pruned() {
			params[i].pruneSmallest(k)
		}
	}
}

// kernelCounts is how many weights of each are pruned in all. None is less than
// what is pruned already, and none empties a parameter.
func kernelCounts(params []*Param, sparsity float64) []int {
	densities := kernelDensities(params, sparsity)
	wanted, counts := make([]float64, len(params)), make([]int, len(params))
	order := make([]int, len(params))
	rest := globalCount(params, sparsity)
	for i, p := range params {
		n := len(p.Value)
		wanted[i] = (1 - densities[i]) * float64(n)
		counts[i] = max(p.Pruned(), min(int(wanted[i]), n-1))
		rest -= counts[i]
		order[i] = i
	}
	// What rounding leaves goes to those that lack most.
	lack := func(i int) float64 { return wanted[i] - float64(counts[i]) }
	for room := true; rest > 0 && room; {
		room = false
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(lack(j), lack(i)) })
		for _, i := range order {
			if rest > 0 && counts[i] < len(params[i].Value)-1 {
				counts[i], rest, room = counts[i]+1, rest-1, true
			}
		}
	}
	for room := true; rest < 0 && room; {
		room = false
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(lack(i), lack(j)) })
		for _, i := range order {
			if rest < 0 && counts[i] > params[i].Pruned() {
				counts[i], rest, room = counts[i]-1, rest+1, true
			}
		}
	}
	return counts
}

// kernelDensities are those of all params together at a sparsity.
func kernelDensities(params []*Param, sparsity float64) []float64 {
	densities, raw := make([]float64, len(params)), make([]float64, len(params))
	keep := 0.0
	for i, p := range params {
		sum := 0
		for _, d := range p.Shape {
			sum += d
		}
		raw[i] = float64(max(1, sum)) / float64(max(1, len(p.Value)))
		keep += (1 - sparsity) * float64(len(p.Value))
	}
	// Those that would be denser than 1 are dense, and the others share the rest.
	dense := make([]bool, len(params))
	for {
		left, weight := keep, 0.0
		for i, p := range params {
			if n := float64(len(p.Value)); dense[i] {
				left -= n
			} else {
				weight += raw[i] * n
			}
		}
		again := false
		for i := range params {
			densities[i] = 1
			if !dense[i] {
				densities[i] = max(0, raw[i]*left/math.Max(weight, math.SmallestNonzeroFloat64))
				if densities[i] > 1 {
					dense[i], again = true, true
				}
			}
		}
		if !again {
			return densities
		}
	}
}
