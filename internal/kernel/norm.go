package kernel

import (
	"fmt"
	"math"
)

// Channels is the shape of an array of N images of C channels of Size elements,
// which batch normalisation sees: (N, C) and (N, C, spatial) alike.
//
// The formulas are those of Ioffe and Szegedy, Batch Normalization, 2015. Sums
// over a channel are taken in float64.
type Channels struct{ N, C, Size int }

func (s Channels) check(of string, arrays, perChannel [][]float32) {
	for _, x := range arrays {
		if len(x) != s.N*s.C*s.Size {
			panic(fmt.Sprintf("kernel: %s: got %d elements, want those of %+v", of, len(x), s))
		}
	}
	for _, x := range perChannel {
		if len(x) != s.C {
			panic(fmt.Sprintf("kernel: %s: got %d elements for %d channels", of, len(x), s.C))
		}
	}
}

// grain is how many channels are worth a task.
func (s Channels) grain() int { return max(1, chunk/(s.N*s.Size+1)) }

// A ChannelNorm is batch normalisation with what often follows it:
//
//	y = scale·(x - mean)/√(variance + ε) + shift, plus Add, between Low and High
//
// with one scale, shift, mean and variance for each channel. Doing all in one go
// saves passes over memory.
type ChannelNorm struct {
	Channels
	Scale, Shift, Mean, Variance []float32
	Eps                          float32

	Add       []float32 // laid out like x; nil adds nothing
	Limited   bool      // between Low and High; otherwise there is no limit
	Low, High float32   // 0 and +Inf: ReLU
}

// normArgs are the arguments of a pass over channels; unused ones are left out.
type normArgs struct {
	ChannelNorm
	x, y, dy, dx, dadd []float32
	dscale, dshift     []float32
	train              bool
}

var (
	channelSums  = split(channelSumsOf)
	channelStats = split(statsOf)
	normForward  = split(normForwardOf)
	normTrain    = split(normTrainOf)
	normBackward = split(normBackwardOf)
)

// planeLoops are loops over n planes of size elements, stride elements apart.
// There is at least one element. Arrays begin at the first plane; some functions
// leave out some of them.
type planeLoops struct {
	sum     func(x []float32, n, stride, size int) float64
	moments func(x []float32, n, stride, size int, around float32) (sum, squares float64) // Σ(x-around) and Σ(x-around)²

	// y = (x - mean)·factor + shift; [1] with limits; [][1] with add. With stream it
	// goes past the caches, if it can.
	normalize [2][2]normalizeFunc

	// The others see dy as 0 where the result is not between low and high, by
	// gate. gradSums: Σdy and Σdy·(x - mean). grad: dx = factor·dy. trainGrad: dx
	// = factor·(dy - offset - (x - mean)·slope). With gateY both store dy to dadd
	// unless it is nil; otherwise stream is as above.
	gradSums  [gates]gradSumsFunc
	grad      [gates]inputGradFunc
	trainGrad [gates]inputGradFunc
}

type (
	normalizeFunc = func(y, x, add []float32, n, stride, size int, mean, factor, shift, low, high float32, stream bool)
	gradSumsFunc  = func(x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high float32) (sum, product float64)
	inputGradFunc = func(dx, dadd, x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high, offset, slope float32, stream bool)
)

// gate is how a backward pass finds out which results the limits hold.
type gate int

const (
	gateNone gate = iota // none
	gateX                // it computes them again
	gateY                // it reads them
	gates
)

// loops are for planes of at least some vectors; plain Go has less to prepare.
func (s Channels) loops() *planeLoops {
	if s.Size < 4 {
		return &generic.planes
	}
	return &active.planes
}

// pieces is how many planes, and how many elements of each, are worked on in one
// go: loops in assembly cannot be interrupted.
func (s Channels) pieces() (planes, size int) {
	const most = 1 << 16
	return max(1, min(s.N, most/max(s.Size, 1))), max(1, min(s.Size, most))
}

// from is x from an element of channel c on, nil where there is no x.
func (s Channels) from(x []float32, n, c, i int) []float32 {
	if x == nil {
		return nil
	}
	return x[(n*s.C+c)*s.Size+i:]
}

func (s Channels) stride() int { return s.C * s.Size }

// sum is that of channel c of x.
func (s Channels) sum(x []float32, c int) float64 {
	f, total := s.loops(), 0.0
	planes, size := s.pieces()
	for n := 0; n < s.N; n += planes {
		for i := 0; i < s.Size; i += size {
			total += f.sum(s.from(x, n, c, i), min(planes, s.N-n), s.stride(), min(size, s.Size-i))
		}
	}
	return total
}

// stats finds the mean and the biased variance of channel c of x, from sums
// around a number that is near the mean.
func (s Channels) stats(x []float32, c int) (mean, variance float32) {
	if s.N*s.Size == 0 {
		return float32(math.NaN()), float32(math.NaN())
	}
	f := s.loops()
	few := min(s.Size, 64)
	around := float32(f.sum(s.from(x, 0, c, 0), 1, 0, few) / float64(few))
	sum, squares := 0.0, 0.0
	planes, size := s.pieces()
	for n := 0; n < s.N; n += planes {
		for i := 0; i < s.Size; i += size {
			u, v := f.moments(s.from(x, n, c, i), min(planes, s.N-n), s.stride(), min(size, s.Size-i), around)
			sum += u
			squares += v
		}
	}
	count := float64(s.N * s.Size)
	off := sum / count
	return float32(float64(around) + off), float32(max(squares/count-off*off, 0))
}

// factor is scale/√(variance + ε) of channel c.
func (s *ChannelNorm) factor(c int) float32 {
	return float32(float64(s.Scale[c]) * inverse(s.Variance[c], s.Eps))
}

// inverse is 1/√(variance + ε).
func inverse(variance, eps float32) float64 {
	return 1 / math.Sqrt(float64(variance)+float64(eps))
}

func (s *ChannelNorm) normalize(x, y []float32, c int) {
	limited, added := 0, 0
	if s.Limited {
		limited = 1
	}
	if s.Add != nil {
		added = 1
	}
	f := s.loops().normalize[limited][added]
	factor := s.factor(c)
	planes, size := s.pieces()
	for n := 0; n < s.N; n += planes {
		for i := 0; i < s.Size; i += size {
			f(s.from(y, n, c, i), s.from(x, n, c, i), s.from(s.Add, n, c, i),
				min(planes, s.N-n), s.stride(), min(size, s.Size-i), s.Mean[c], factor, s.Shift[c], s.Low, s.High, s.streams(y, x))
		}
	}
}

// streams tells whether results should go past the caches: no cache is expected to
// hold them, and what they overwrite was not read just now.
func (s Channels) streams(to, from []float32) bool {
	return len(to) > streamed && &to[0] != &from[0]
}

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

// ChannelSums computes the sum of each channel of x.
func ChannelSums(s Channels, x, sums []float32) {
	s.check("ChannelSums", [][]float32{x}, [][]float32{sums})
	channelSums.do(s.C, s.grain(), normArgs{ChannelNorm: ChannelNorm{Channels: s}, x: x, dshift: sums})
}

func channelSumsOf(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		a.dshift[c] = float32(a.sum(a.x, c))
	}
}

// Stats computes the mean and the biased variance of each channel of x.
func (s *ChannelNorm) Stats(x []float32) {
	s.check("Stats", [][]float32{x}, [][]float32{s.Mean, s.Variance})
	channelStats.do(s.C, s.grain(), normArgs{ChannelNorm: *s, x: x})
}

func statsOf(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		a.Mean[c], a.Variance[c] = a.stats(a.x, c)
	}
}

// Forward computes y from x. They may be the same.
func (s *ChannelNorm) Forward(x, y []float32) {
	s.checkForward("Forward", x, y)
	normForward.do(s.C, s.grain(), normArgs{ChannelNorm: *s, x: x, y: y})
}

func (s *ChannelNorm) checkForward(of string, x, y []float32) {
	s.check(of, [][]float32{x, y}, [][]float32{s.Scale, s.Shift, s.Mean, s.Variance})
	if s.Add != nil {
		s.check(of, [][]float32{s.Add}, nil)
	}
}

func normForwardOf(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		a.normalize(a.x, a.y, c)
	}
}

// Train is Stats and Forward, channel by channel, so that memory is read once.
func (s *ChannelNorm) Train(x, y []float32) {
	s.checkForward("Train", x, y)
	normTrain.do(s.C, s.grain(), normArgs{ChannelNorm: *s, x: x, y: y})
}

func normTrainOf(a *normArgs, lo, hi int) {
	statsOf(a, lo, hi)
	normForwardOf(a, lo, hi)
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
