package optim

import "math"

const signBit = 1 << 31

// addL1 puts the penalty λ|w| into the gradient by its subgradient of least
// size: u ← u + λ·sign(w), sign(0) = 0.
//
// The sign of a weight is as good as random, and a branch on it is mispredicted
// half of the time; so λ gets the sign bit of w without one.
type addL1 struct{ lambda float32 }

func (a addL1) apply(b *block) {
	u, lambda := b.u, math.Float32bits(a.lambda)
	for i, w := range b.w[:len(u)] {
		bits := math.Float32bits(w)
		step := lambda | bits&signBit
		if bits&^signBit == 0 {
			step = 0
		}
		u[i] += math.Float32frombits(step)
	}
}

// softThreshold is the proximal operator of t|w|, t = ηλ: it pulls each weight
// towards zero by t and stops there, w ← sign(w)·max(|w| − t, 0). Zeros it makes
// are exact, and positive.
//
// Daubechies, Defrise and De Mol, "An iterative thresholding algorithm for
// linear inverse problems with a sparsity constraint", Communications on Pure
// and Applied Mathematics 57, 2004. With rules that scale each coordinate, such
// as Adam, t stays ηλ for all.
type softThreshold struct{ t float32 }

func (s softThreshold) apply(b *block) {
	w := b.w
	for i := range w {
		bits := math.Float32bits(w[i])
		left := math.Float32bits(math.Float32frombits(bits&^signBit) - s.t)
		left &^= uint32(int32(left) >> 31) // 0 where negative
		if left != 0 {
			left |= bits & signBit
		}
		w[i] = math.Float32frombits(left)
	}
}
