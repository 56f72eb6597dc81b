package optim

import "finetune/internal/kernel"

// shrink is decay beside the gradient: w ← c·w, with c = 1 − ηλ when decoupled
// (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019)
// and c = 1 − λ when absolute.
func shrink(keep float64) kernel.Link {
	return kernel.Link{Kind: kernel.Multiply, A: float32(keep)}
}
