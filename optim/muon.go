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
//	w ← w − η√max(1, outputs/inputs)·X
//
// Jordan, Jin, Boza, You, Cecista, Newhouse and Bernstein, "Muon: An optimizer
// for hidden layers in neural networks", 2024,
// https://kellerjordan.github.io/posts/muon.
//
// A filter bank is a matrix with a row for each output, whose inputs are the
// channels at all positions of the kernel; what holds several matrices, such as
// the weights of a recurrent layer in two directions, is made orthogonal matrix by
// matrix: see [Param.OutAxis].
//
// As the authors advise, embeddings, vectors and, of several layers, the last are
// trained by AdamW, with the same learning rate. So is all that has 0 for ns-steps;
// where a role or a whole name gives it another, as role:weight=5 does, the last
// layer is no exception.

var muonStages = []stage{{chain: muonMomentum}, {whole: orthogonalizeAll, chain: muonDescent}}

// muons reports whether Muon proper is for p under h.
func muons(p *Param, h Hyper) bool { return p.Rank() > 1 && h.NSSteps > 0 && len(p.Value) > 0 }

// hidden is the scope of ns-steps: matrices, but no embeddings, and not those of the
// last layer if there are others.
func hidden(params []*Param) scope {
	depths := ends(params)
	return func(p *Param) bool {
		return p.Rank() > 1 && p.Role != Embedding && (p.Depth < depths[1] || depths[0] == depths[1])
	}
}

func muonSlots(p *Param, h Hyper) []slot {
	if !muons(p, h) {
		return adamSlots(p, h)
	}
	return []slot{{name: "momentum"}}
}

func muonMomentum(c *chain, x *tensor) {
	mu := x.h.Momentum
	switch {
	case !muons(x.Param, x.plan.Hyper):
	case x.h.Nesterov == 1:
		// Sizes do not matter here: g + μ/(1−μ)·b is u divided by 1−μ.
		c.add(meanGradient(mu), nesterov(mu/(1-mu)))
	default:
		c.add(meanGradient(mu), followMomentum())
	}
}

func muonDescent(c *chain, x *tensor) {
	if !muons(x.Param, x.plan.Hyper) {
		adam(c, x)
		return
	}
	l := x.linear()
	c.add(descend(x.h.LR * math.Sqrt(max(1, float64(l.outputs)/float64(l.inputs*l.kernel)))))
}

// orthogonalizeAll makes each matrix of the update orthogonal.
func orthogonalizeAll(x *tensor) {
	if !muons(x.Param, x.plan.Hyper) {
		return
	}
	l := x.linear()
	size := l.outputs * l.inputs * l.kernel
	for lo := 0; lo < len(x.update); lo += size {
		x.orthogonalize(x.update[lo:lo+size], l)
	}
}

// orthogonalize makes all singular values of u nearly 1, between 0.7 and 1.2:
// X ← aX + (bA + cA²)X with A = XXᵀ, from X = u/‖u‖ on.
func (x *tensor) orthogonalize(u []float32, l linear) {
	const a, b, c = 3.4445, -4.7750, 2.0315
	kernel.Scale(u, u, float32(1/max(norm(u), 1e-7)))
	// Which side of a matrix is up makes no difference, but the products are of the
	// smaller one: wide is as wide as high, or wider.
	m, n := l.outputs, l.inputs*l.kernel
	wide, next := x.room(0, m*n), x.room(1, m*n)
	if l.inFirst {
		transpose(next, u, l.inputs, l.outputs, l.kernel)
	} else {
		copy(next, u)
	}
	tall := m > n
	if tall {
		transpose(wide, next, m, n, 1)
		m, n = n, m
	} else {
		wide, next = next, wide
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
		transpose(next, wide, m, n, 1)
		wide = next
	}
	if l.inFirst {
		transpose(u, wide, l.outputs, l.inputs, l.kernel)
	} else {
		copy(u, wide)
	}
}

// transpose writes the transpose of x, an m by n matrix of runs of so many numbers.
func transpose(out, x []float32, m, n, run int) {
	for i := range m {
		for j := range n {
			copy(out[(j*m+i)*run:][:run], x[(i*n+j)*run:])
		}
	}
}
