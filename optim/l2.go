package optim

import "finetune/internal/kernel"

// addL2 puts the penalty λ/2·w² into the gradient, as PyTorch's weight_decay
// does outside AdamW: u ← u + λw.
type addL2 struct{ lambda float32 }

func (a addL2) apply(b *block) { kernel.AddScaled(b.u, b.w, a.lambda) }
