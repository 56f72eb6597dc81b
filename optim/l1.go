package optim

import "finetune/internal/kernel"

// addL1 puts the penalty λ|w| into the gradient by its subgradient of least
// size: u ← u + λ·sign(w), sign(0) = 0.
func addL1(lambda float64) kernel.Link {
	return kernel.Link{Kind: kernel.AddSigns, A: float32(lambda)}
}

// softThreshold is the proximal operator of t|w|, t = ηλ: it pulls each weight
// towards zero by t and stops there, w ← sign(w)·max(|w| − t, 0). Zeros it makes
// are exact, and positive.
//
// Daubechies, Defrise and De Mol, "An iterative thresholding algorithm for
// linear inverse problems with a sparsity constraint", Communications on Pure
// and Applied Mathematics 57, 2004. With rules that scale each coordinate, such
// as Adam, t stays ηλ for all.
func softThreshold(t float64) kernel.Link {
	return kernel.Link{Kind: kernel.Shrink, A: float32(t)}
}
