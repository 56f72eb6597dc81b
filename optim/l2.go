package optim

import "finetune/internal/kernel"

// addL2 puts the penalty λ/2·w² into the gradient, as PyTorch's weight_decay
// does outside AdamW: u ← u + λw.
func addL2(lambda float64) kernel.Link {
	return kernel.Link{Kind: kernel.AddWeights, A: float32(lambda)}
}
