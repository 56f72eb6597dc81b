package optim

import (
	"math"

	"finetune/internal/kernel"
)

// Penalty is what the penalties add to the loss, by term.
type Penalty struct {
	L1    float64 `json:"l1_penalty,omitempty"`    // Σ λ|w|
	L2    float64 `json:"l2_penalty,omitempty"`    // Σ λ/2·w²
	Group float64 `json:"group_penalty,omitempty"` // Σ λ√n·‖w_g‖
	L1SP  float64 `json:"l1_sp_penalty,omitempty"` // Σ λ|w − w₀|
	L2SP  float64 `json:"l2_sp_penalty,omitempty"` // Σ λ/2·(w − w₀)²
}

// Sum is all of them together.
func (p Penalty) Sum() float64 { return p.L1 + p.L2 + p.Group + p.L1SP + p.L2SP }

// Penalty is that of the weights as they are, over all trained parameters, each
// with its own λ, as of the last step. It counts whether a penalty acts through
// the gradient or by a proximal step. Weight decay beside the gradient is no term
// of the loss and does not count; coupled decay is an L2 penalty.
func (o *Optimizer) Penalty() Penalty {
	var sum Penalty
	for _, x := range o.tensors {
		h := x.h
		l2 := h.L2
		if o.cfg.DecayMode == Coupled {
			l2 += h.WeightDecay
		}
		if h.L1 != 0 {
			sum.L1 += h.L1 * x.sum(kernel.SumSizes)
		}
		if l2 != 0 {
			sum.L2 += l2 / 2 * x.sum(kernel.SumSquares)
		}
		if h.Group != 0 {
			sum.Group += h.Group * x.groupNorms(o.cfg.Groups)
		}
		if h.remembersStart() {
			sizes, squares := x.distance()
			sum.L1SP += h.L1SP * sizes
			sum.L2SP += h.L2SP / 2 * squares
		}
	}
	return sum
}

// sum adds up f over the weights.
func (x *tensor) sum(f func([]float32) float64) float64 {
	return chunkSum(len(x.Value), func(lo, hi int) float64 { return f(x.Value[lo:hi]) })
}

// distance is Σ|w − w₀| and Σ(w − w₀)².
func (x *tensor) distance() (sizes, squares float64) {
	for i, w := range x.Value {
		d := float64(w) - float64(x.start[i])
		sizes += math.Abs(d)
		squares += float64(d * d)
	}
	return sizes, squares
}
