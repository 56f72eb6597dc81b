package optim

// A weight leads from inputs to outputs: channels, or features. Which of its axes
// is which depends on the operator that reads it:
//
//	operator, weight                    shape                       outputs  inputs
//	Conv                                (M, C/group, kernel…)       0        1
//	ConvTranspose                       (C, M/group, kernel…)       1        0
//	Gemm; with transB                   (K, N); (N, K)              1; 0     0; 1
//	MatMul, right; left                 (…, K, N); (…, M, K)        last; last but one
//	RNN, GRU, LSTM                      (directions, gates·H, I)    1        2
//	Einsum that sums over axis 0        (K, N…)                     1 and on  0
//
// All else that has outputs and inputs has them in this order along its first two
// axes. A vector has outputs only.
//
// Filters of pruning and group lasso, neighbours of N:M, units of adaptive clipping
// and of centralisation, and the matrices of Muon all follow from that.

// InAxis is the axis of a weight along which its inputs lie; 0 for a vector.
func (p *Param) InAxis() int {
	_, in := p.axes()
	return in
}

// OutAxis is the axis of a weight along which its outputs lie.
func (p *Param) OutAxis() int {
	out, _ := p.axes()
	return out
}

func (p *Param) axes() (out, in int) {
	first, second := 0, 1
	switch p.Op {
	case "RNN", "GRU", "LSTM", "MatMul":
		first, second = p.Rank()-2, p.Rank()-1
	}
	switch {
	case p.Rank() < 2:
		return 0, 0
	case p.InFirst:
		return second, first
	}
	return first, second
}

// linear is a weight as matrices, one behind the other: of directions, of a batch
// of matrices, of the groups of a ConvTranspose.
type linear struct {
	parts           int
	outputs, inputs int  // of each part
	kernel          int  // weights between an input and an output
	inFirst         bool // a part is (inputs, outputs, kernel), not (outputs, inputs, kernel)
}

func (p *Param) linear() linear {
	if p.Rank() < 2 {
		return linear{parts: 1, outputs: len(p.Value), inputs: 1, kernel: 1}
	}
	out, in := p.axes()
	l := linear{parts: 1, outputs: p.Shape[out], inputs: p.Shape[in], kernel: 1, inFirst: in < out}
	for i, d := range p.Shape {
		switch {
		case i < min(out, in):
			l.parts *= d
		case i > out && l.inFirst && p.Op == "Einsum":
			l.outputs *= d
		case i > max(out, in):
			l.kernel *= d
		}
	}
	if g := p.Groups; l.inFirst && g > 1 && l.inputs%g == 0 {
		l.parts, l.inputs = l.parts*g, l.inputs/g
	}
	return l
}
