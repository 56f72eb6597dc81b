package kernel

// gate is none without limits, and otherwise looks at y if there is one.
func (a *normArgs) gate() gate {
	switch {
	case !a.Limited:
		return gateNone
	case a.y != nil:
		return gateY
	default:
		return gateX
	}
}

// gradSums are Σdy and Σdy·(x - mean) of channel c.
func (a *normArgs) gradSums(c int) (sum, product float64) {
	f := a.loops().gradSums[a.gate()]
	factor, shift := float32(0), float32(0)
	if a.gate() == gateX {
		factor, shift = a.factor(c), a.Shift[c]
	}
	planes, size := a.pieces()
	for n := 0; n < a.N; n += planes {
		for i := 0; i < a.Size; i += size {
			u, v := f(a.from(a.x, n, c, i), a.from(a.y, n, c, i), a.from(a.dy, n, c, i),
				min(planes, a.N-n), a.stride(), min(size, a.Size-i), a.Mean[c], factor, shift, a.Low, a.High)
			sum += u
			product += v
		}
	}
	return sum, product
}

// inputGrad computes dx of channel c, and dadd. In training, mean and variance
// depend on x: with x̂ = (x - mean)/√(variance + ε), and means over the channel,
//
//	dx = scale/√(variance + ε)·(dy - mean(dy) - x̂·mean(dy·x̂))
func (a *normArgs) inputGrad(c int, sum, product float64) {
	f, mean, shift := a.loops().grad[a.gate()], float32(0), float32(0)
	var offset, slope float32
	if a.train {
		f = a.loops().trainGrad[a.gate()]
		count, inv := float64(a.N*a.Size), inverse(a.Variance[c], a.Eps)
		offset, slope = float32(sum/count), float32(product/count*inv*inv)
	}
	if a.train || a.gate() == gateX {
		mean = a.Mean[c]
	}
	if a.gate() == gateX {
		shift = a.Shift[c]
	}
	factor := a.factor(c)
	planes, size := a.pieces()
	for n := 0; n < a.N; n += planes {
		for i := 0; i < a.Size; i += size {
			f(a.from(a.dx, n, c, i), a.from(a.dadd, n, c, i), a.from(a.x, n, c, i), a.from(a.y, n, c, i), a.from(a.dy, n, c, i),
				min(planes, a.N-n), a.stride(), min(size, a.Size-i), mean, factor, shift, a.Low, a.High, offset, slope, a.streams(a.dx, a.dy))
		}
	}
}

// ChannelGrads is what a backward pass reads and writes. What is written may be
// nil where it is not wanted.
type ChannelGrads struct {
	Dy []float32 // gradient of the result
	X  []float32

	// Y is the result; only limits need it. With nil it is computed again from X,
	// which cannot be had with Add.
	Y []float32

	Train bool // mean and variance are those of X, as Train finds them

	Dx             []float32 // gradient of X; may be Dy
	Dadd           []float32 // gradient of Add, if there are limits (otherwise it is Dy); may be Dy if Dx is not
	Dscale, Dshift []float32
}

// Backward computes gradients, all in one go: the sums of a channel and the
// gradient of its input while it is in the cache. The gradient passes where the
// result is between Low and High, and does not reach them.
func (s *ChannelNorm) Backward(g ChannelGrads) {
	s.check("Backward", [][]float32{g.Dy}, [][]float32{s.Variance})
	for _, x := range [][]float32{g.X, g.Y, g.Dx, g.Dadd} {
		if x != nil {
			s.check("Backward", [][]float32{x}, nil)
		}
	}
	for _, x := range [][]float32{g.Dscale, g.Dshift} {
		if x != nil {
			s.check("Backward", nil, [][]float32{x})
		}
	}
	a := normArgs{ChannelNorm: *s, x: g.X, y: g.Y, dy: g.Dy, dx: g.Dx, dadd: g.Dadd, dscale: g.Dscale, dshift: g.Dshift, train: g.Train}
	if g.Dx != nil || a.gate() == gateX {
		s.check("Backward", nil, [][]float32{s.Scale})
	}
	if a.gate() == gateX {
		s.check("Backward", nil, [][]float32{s.Shift})
	}
	sums := g.Dscale != nil || g.Dshift != nil || g.Train && g.Dx != nil
	switch {
	case sums && g.X == nil || s.Limited && g.Y == nil && (g.X == nil || s.Add != nil):
		panic("kernel: Backward: neither input nor result to start from")
	case sums || a.gate() == gateX:
		s.check("Backward", nil, [][]float32{s.Mean})
	}
	if g.Dadd != nil && (g.Dx == nil || a.gate() != gateY) {
		panic("kernel: Backward: the gradient of what was added comes with that of the input, and with limits")
	}
	normBackward.do(s.C, s.grain(), a)
}

var normBackward = split(normBackwardOf)

func normBackwardOf(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		var sum, product float64
		if a.dscale != nil || a.dshift != nil || a.train && a.dx != nil {
			sum, product = a.gradSums(c)
		}
		if a.dx != nil {
			a.inputGrad(c, sum, product)
		}
		if a.dscale != nil {
			a.dscale[c] = float32(product * inverse(a.Variance[c], a.Eps))
		}
		if a.dshift != nil {
			a.dshift[c] = float32(sum)
		}
	}
}
