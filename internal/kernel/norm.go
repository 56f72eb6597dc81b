package kernel

import "math"

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
	channelStats = split(statsOf)
	normForward  = split(normForwardOf)
	normTrain    = split(normTrainOf)
)

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
