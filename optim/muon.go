package optim

import (
	"math"

	"finetune/internal/kernel"
)

// Muon makes the momentum of a matrix orthogonal before it follows it, so that a
// step moves all directions equally far:
//
//	b ← μb + (1−μ)g                  u = (1−μ)g + μb with Nesterov, else b
//	X ← U Vᵀ, where u = U S Vᵀ       nearly: by a few steps of Newton and Schulz
//	w ← w − η√max(1, rows/columns)·X
//
// Jordan, Jin, Boza, You, Cecista, Newhouse and Bernstein, "Muon: An optimizer
// for hidden layers in neural networks", 2024,
// https://kellerjordan.github.io/posts/muon. A filter bank is a matrix with a row
// for each filter. Embeddings and vectors are trained by AdamW, with the same
// learning rate.

var muonStages = []stage{{chain: muonMomentum}, {whole: orthogonalize, chain: muonDescent}}

// muons reports whether Muon proper is for p.
func muons(p *Param) bool { return p.Rank() > 1 && p.Role != Embedding && len(p.Value) > 0 }

func muonSlots(p *Param, h Hyper) []slot {
	if !muons(p) {
		return adamSlots(p, h)
	}
	return []slot{{name: "momentum"}}
}

func muonMomentum(c *chain, x *tensor) {
	mu := x.h.Momentum
	switch {
	case !muons(x.Param):
	case x.h.Nesterov == 1:
		// Sizes do not matter here: g + μ/(1−μ)·b is u divided by 1−μ.
		c.add(meanGradient(mu), nesterov(mu/(1-mu)))
	default:
		c.add(meanGradient(mu), followMomentum())
	}
}

func muonDescent(c *chain, x *tensor) {
	if !muons(x.Param) {
		adam(c, x)
		return
	}
	rows := x.Shape[0]
	c.add(descend(x.h.LR * math.Sqrt(max(1, float64(rows)/float64(len(x.Value)/rows)))))
}

// orthogonalize makes all singular values of the update nearly 1, between 0.7 and
// 1.2: X ← aX + (bA + cA²)X with A = XXᵀ, from X = u/‖u‖ on.
func orthogonalize(x *tensor) {
	if !muons(x.Param) {
		return
	}
	const a, b, c = 3.4445, -4.7750, 2.0315
	m := x.Shape[0]
	n := len(x.Value) / m
	kernel.Scale(x.update, x.update, float32(1/max(norm(x.update), 1e-7)))
	// The products are of the smaller side: X is as wide as high, or wider.
	wide, next, tall := x.room(0, m*n), x.room(1, m*n), m > n
	if tall {
		transpose(wide, x.update, m, n)
		m, n = n, m
	} else {
		copy(wide, x.update)
	}
	gram, square := x.room(2, m*m), x.room(3, m*m)
	for range int(x.h.NSSteps) {
		kernel.Gemm(false, true, m, m, n, 1, wide, n, wide, n, 0, gram, m)
		copy(square, gram)
		kernel.Gemm(false, false, m, m, m, c, gram, m, gram, m, b, square, m)
		copy(next, wide)
		kernel.Gemm(false, false, m, n, m, 1, square, m, wide, n, a, next, n)
		wide, next = next, wide
	}
	if tall {
		transpose(x.update, wide, m, n)
	} else {
		copy(x.update, wide)
	}
}

// transpose writes the transpose of x, an m by n matrix.
func transpose(out, x []float32, m, n int) {
	for i := range m {
		for j := range n {
			out[j*m+i] = x[i*n+j]
		}
	}
}
