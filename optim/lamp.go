package optim

import (
	"math"
	"slices"
)

// lampScores are those of the weights of p, where a weight counts for what it adds
// to those that are no smaller:
//
//	|w| / √Σv²    over the weights v of p that have not gone, with |v| ≥ |w|
//
// which is the error of leaving w out as well, relative to what is left then.
// Within a parameter they rank as the weights themselves do. Among several they do
// not depend on how large the weights of each are, and rise to 1 for the last of
// each, which therefore stays to the end. Of equal weights the first goes first.
//
// Lee, Park, Mo, Ahn and Shin, "Layer-adaptive Sparsity for the Magnitude-based
// Pruning", ICLR 2021, https://arxiv.org/abs/2010.07611, here under a root.
func lampScores(p *Param) []float32 {
	// Size above, position below.
	order := make([]uint64, 0, len(p.Value)-p.Pruned())
	for i, w := range p.Value {
		if p.kept(i) {
			order = append(order, uint64(math.Float32bits(w)&^signBit)<<32|uint64(i))
		}
	}
	order = bySize(order)
	scores := make([]float32, len(p.Value))
	squares := 0.0
	for _, key := range slices.Backward(order) {
		size := float64(math.Float32frombits(uint32(key >> 32)))
		if squares += float64(size * size); squares > 0 {
			scores[uint32(key)] = float32(size / math.Sqrt(squares))
		}
	}
	return scores
}

// bySize sorts numbers by their upper half, those of equal ones as they came: a
// stable sort by 11, 11 and 10 of its bits, the lowest first. It uses list as room.
func bySize(list []uint64) []uint64 {
	sorted := make([]uint64, len(list))
	for _, shift := range []uint{32, 43, 54} {
		var places [1<<11 + 1]int // the first place of each digit, once added up
		for _, key := range list {
			places[key>>shift%(1<<11)+1]++
		}
		for i := range places[1:] {
			places[i+1] += places[i]
		}
		for _, key := range list {
			place := &places[key>>shift%(1<<11)]
			sorted[*place] = key
			*place++
		}
		list, sorted = sorted, list
	}
	return list
}
