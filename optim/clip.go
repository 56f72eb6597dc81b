package optim

import (
	"fmt"
	"math"

	"finetune/internal/kernel"
)

// ClipValue moves each gradient of the trainable parameters into [−limit,
// limit]. A NaN stays. It panics if limit is not above 0.
func ClipValue(params []*Param, limit float64) {
	if !(limit > 0) {
		panic(fmt.Sprintf("optim: ClipValue: limit %g is not above 0", limit))
	}
	for _, p := range params {
		if p.Trainable {
			kernel.Clip(p.Grad, p.Grad, -float32(limit), float32(limit))
		}
	}
}

// ClipNorm scales the gradients of the trainable parameters by
//
//	min(1, limit / (‖g‖₂ + 1e-6))
//
// where the norm is that of all of them as one vector, and returns that norm as
// it was before. Gradients of pruned weights do not count. A norm that is not
// finite is returned and nothing is changed. It panics if limit is not above 0.
//
// Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
// networks", ICML 2013; the 1e-6 is PyTorch's.
func ClipNorm(params []*Param, limit float64) (norm float64) {
	if !(limit > 0) {
		panic(fmt.Sprintf("optim: ClipNorm: limit %g is not above 0", limit))
	}
	norm = GradNorm(params)
	scale := float32(limit / (norm + 1e-6))
	if !(scale < 1) || math.IsInf(norm, 1) {
		return norm
	}
	for _, p := range params {
		if p.Trainable {
			kernel.Scale(p.Grad, p.Grad, scale)
		}
	}
	return norm
}

// GradNorm is ‖g‖₂ of the gradients of all trainable parameters as one vector,
// without those of pruned weights.
func GradNorm(params []*Param) float64 {
	var sum float64
	for _, p := range params {
		if !p.Trainable {
			continue
		}
		sum += chunkSum(len(p.Grad), func(lo, hi int) float64 {
			if p.Mask == nil {
				return kernel.SumSquares(p.Grad[lo:hi])
			}
			return kernel.SumSquaresKept(p.Grad[lo:hi], p.Mask[lo:hi])
		})
	}
	return math.Sqrt(sum)
}

// ClipAdaptive scales the gradient of each unit, all weights of an output, by
//
//	min(1, limit·max(‖w‖₂, 1e-3) / ‖g‖₂)
//
// so that none moves far in proportion to its weights. A vector is one unit.
// Gradients of pruned weights do not count. It panics if limit is not above 0.
//
// Brock, De, Smith and Simonyan, "High-Performance Large-Scale Image Recognition
// Without Normalization", ICML 2021, https://arxiv.org/abs/2102.06171.
func ClipAdaptive(params []*Param, limit float64) {
	if !(limit > 0) {
		panic(fmt.Sprintf("optim: ClipAdaptive: limit %g is not above 0", limit))
	}
	for _, p := range params {
		if !p.Trainable {
			continue
		}
		units := Grouping("filters").tiling(p)
		if p.Rank() < 2 {
			units = tiling{rows: 1, columns: len(p.Value), high: 1, wide: max(1, len(p.Value))}
		}
		scales, norms := units.norms(p.Value, nil), units.norms(p.Grad, p.Mask)
		for i, norm := range norms {
			scales[i] = limit * max(scales[i], 1e-3) / norm
			if math.IsInf(norm, 1) {
				scales[i] = 1
			}
		}
		units.shrink(p.Grad, scales)
	}
}
