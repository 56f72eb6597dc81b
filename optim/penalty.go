package optim

import "finetune/internal/kernel"

// Penalty is what the penalties add to the loss with the weights as they are:
// Σ λ₁|w| and Σ λ₂/2·w² over all trained parameters, each weight with its own λ.
// L1 counts whether it acts through the gradient or by soft threshold. Weight
// decay beside the gradient is no term of the loss and does not count.
func (o *Optimizer) Penalty() (l1, l2 float64) {
	for _, g := range o.groups {
		for _, p := range g.Params {
			if g.Hyper.L1 != 0 {
				l1 += g.Hyper.L1 * chunkSum(len(p.Value), func(lo, hi int) float64 {
					return kernel.SumSizes(p.Value[lo:hi])
				})
			}
			if g.Hyper.L2 != 0 {
				l2 += g.Hyper.L2 / 2 * chunkSum(len(p.Value), func(lo, hi int) float64 {
					return kernel.SumSquares(p.Value[lo:hi])
				})
			}
		}
	}
	return l1, l2
}
