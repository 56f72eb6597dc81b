package optim

import (
	"slices"

	"finetune/internal/kernel"
)

// Zeros counts the weights of p that are zero, pruned or not.
func (p *Param) Zeros() int {
	n := 0
	for value := range slices.Chunk(p.Value, stretchLen) {
		n += kernel.CountBelow(value, allKept()[:len(value)], 1)
	}
	return n
}

// Pruned counts the weights of p that are pruned: zero, and kept so by the mask.
func (p *Param) Pruned() int {
	return kernel.CountFalse(p.Mask)
}

// Sparsity is the share of zeros in all params together, 0 if they are empty.
func Sparsity(params []*Param) float64 {
	zeros, total := 0, 0
	for _, p := range params {
		zeros += p.Zeros()
		total += len(p.Value)
	}
	if total == 0 {
		return 0
	}
	return float64(zeros) / float64(total)
}
