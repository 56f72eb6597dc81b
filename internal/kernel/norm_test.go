package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// normSums is the definition of everything batch normalisation needs.
type normSums struct {
	mean, variance, sumG, sumGX []float64
}

// of sums up channels in float64, with the given statistics or, where nil, those
// of x.
func sumsOf(s Channels, x, dy []float32, mean, variance []float32, eps float64) normSums {
	r := normSums{make([]float64, s.C), make([]float64, s.C), make([]float64, s.C), make([]float64, s.C)}
	channel := func(i int) int { return i / s.Size % s.C }
	count := float64(s.N * s.Size)
	for i, v := range x {
		r.mean[channel(i)] += float64(v) / count
	}
	for i, v := range x {
		d := float64(v) - r.mean[channel(i)]
		r.variance[channel(i)] += d * d / count
	}
	if mean != nil {
		for c := range s.C {
			r.mean[c], r.variance[c] = float64(mean[c]), float64(variance[c])
		}
	}
	for i, g := range dy {
		c := channel(i)
		r.sumG[c] += float64(g)
		r.sumGX[c] += float64(g) * (float64(x[i]) - r.mean[c]) / math.Sqrt(r.variance[c]+eps)
	}
	return r
}

// normShapes are around the widths of vectors and the size of pieces.
var normShapes = []Channels{{N: 1, C: 1, Size: 2}, {N: 4, C: 3, Size: 1}, {N: 33, C: 40, Size: 1}, {N: 3, C: 5, Size: 7},
	{N: 2, C: 3, Size: 16}, {N: 2, C: 2, Size: 49}, {N: 64, C: 2, Size: 150}, {N: 2, C: 1, Size: 1<<16 + 3}}

func TestChannelNorm(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, s := range normShapes {
			for _, limited := range []bool{false, true} {
				for _, added := range []bool{false, true} {
					testChannelNorm(t, s, limited, added)
				}
			}
		}
	})
}

func testChannelNorm(t *testing.T, s Channels, limited, added bool) {
	const eps = 1e-3
	what := fmt.Sprintf("%+v, limited %t, added %t: ", s, limited, added)
	n := s.N * s.C * s.Size
	x, dy := noise(1, n), noise(2, n)
	norm := ChannelNorm{Channels: s, Eps: eps, Scale: noise(3, s.C), Shift: noise(4, s.C), Mean: noise(5, s.C), Variance: noise(6, s.C),
		Limited: limited, Low: -0.5, High: 0.75}
	if added {
		norm.Add = noise(7, n)
	}
	for i := range x {
		x[i] += 10 // cancellation in sums of squares would show
	}
	for c := range norm.Variance {
		norm.Mean[c] += 10
		norm.Variance[c] = 0.1 + norm.Variance[c]*norm.Variance[c]
	}
	for _, train := range []bool{false, true} {
		// The definition.
		sums := sumsOf(s, x, nil, norm.Mean, norm.Variance, eps)
		if train {
			sums = sumsOf(s, x, nil, nil, nil, eps)
		}
		y, gated := make([]float64, n), make([]float32, n)
		for i := range x {
			c := i / s.Size % s.C
			y[i] = (float64(x[i])-sums.mean[c])*float64(norm.Scale[c])/math.Sqrt(sums.variance[c]+eps) + float64(norm.Shift[c])
			if added {
				y[i] += float64(norm.Add[i])
			}
			gated[i] = dy[i]
			if limited {
				if edge := min(math.Abs(y[i]+0.5), math.Abs(y[i]-0.75)); edge < 1e-5 {
					dy[i], gated[i] = 0, 0 // too close to tell
				}
				if y[i] < -0.5 || y[i] > 0.75 {
					gated[i] = 0
				}
				y[i] = min(max(y[i], -0.5), 0.75)
			}
		}
		wantSums := sumsOf(s, x, gated, norm.Mean, norm.Variance, eps)
		if train {
			wantSums = sumsOf(s, x, gated, nil, nil, eps)
		}
		dx, dadd := make([]float64, n), make([]float64, n)
		for i := range x {
			c := i / s.Size % s.C
			inv, count := 1/math.Sqrt(wantSums.variance[c]+eps), float64(s.N*s.Size)
			dadd[i] = float64(gated[i])
			dx[i] = float64(norm.Scale[c]) * inv * dadd[i]
			if train {
				xhat := (float64(x[i]) - wantSums.mean[c]) * inv
				dx[i] = float64(norm.Scale[c]) * inv * (dadd[i] - wantSums.sumG[c]/count - xhat*wantSums.sumGX[c]/count)
			}
		}

		got, check := guarded(t, n, 1)
		if train {
			norm.Mean, norm.Variance = dirty(s.C), dirty(s.C)
			norm.Train(x, got)
			compare(t, what+"means", norm.Mean, wantSums.mean, 1e-6)
			compare(t, what+"variances", norm.Variance, wantSums.variance, 1e-6)
			mean, variance := norm.Mean, norm.Variance
			norm.Mean, norm.Variance = dirty(s.C), dirty(s.C)
			norm.Stats(x)
			if !slices.Equal(norm.Mean, mean) || !slices.Equal(norm.Variance, variance) {
				t.Errorf("%sStats finds other statistics than Train", what)
			}
		} else {
			norm.Forward(x, got)
		}
		check(what + "result")
		compare(t, what+"result", got, y, 1e-5)

		g := ChannelGrads{Dy: dy, X: x, Train: train, Dscale: dirty(s.C), Dshift: dirty(s.C)}
		var checkAdd func(string)
		g.Dx, check = guarded(t, n, 3)
		if limited {
			g.Y = got
			g.Dadd, checkAdd = guarded(t, n, 2)
		}
		norm.Backward(g)
		check(what + "gradient of the input")
		compare(t, what+"gradient of the input", g.Dx, dx, 2e-5)
		compare(t, what+"gradient of the scale", g.Dscale, wantSums.sumGX, 2e-5)
		compare(t, what+"gradient of the shift", g.Dshift, wantSums.sumG, 1e-5)
		if limited {
			checkAdd(what + "gradient of what was added")
			compare(t, what+"gradient of what was added", g.Dadd, dadd, 0)
		}
		if limited && !added {
			again := g
			again.Y, again.Dadd, again.Dx = nil, nil, slices.Clone(dy)
			again.Dy = again.Dx // in place
			norm.Backward(again)
			compare(t, what+"gradient of the input, from the input", again.Dx, dx, 2e-5)
		}
	}
}

func TestChannelSums(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, s := range normShapes {
			x := noise(1, s.N*s.C*s.Size)
			sums := dirty(s.C)
			ChannelSums(s, x, sums)
			compare(t, fmt.Sprint(s), sums, sumsOf(s, x, x, nil, nil, 1).sumG, 1e-5)
		}
	})
}

// Results that go past the caches are the same.
func TestChannelNormStreamed(t *testing.T) {
	defer func(old int) { streamed = old }(streamed)
	eachISA(t, func(t *testing.T) {
		for _, s := range []Channels{{N: 2, C: 3, Size: 64}, {N: 2, C: 3, Size: 79}, {N: 3, C: 1, Size: 4096}} {
			n := s.N * s.C * s.Size
			norm := ChannelNorm{Channels: s, Eps: 1e-5, Scale: noise(2, s.C), Shift: noise(3, s.C),
				Mean: make([]float32, s.C), Variance: make([]float32, s.C), Limited: true, Low: -0.5, High: 0.5}
			x, dy := noise(1, n), noise(4, n)
			results := func(most int) []float32 {
				streamed = most
				out := dirty(2 * n)
				norm.Train(x, out[:n])
				norm.Backward(ChannelGrads{Dy: dy, X: x, Train: true, Dx: out[n:]})
				return out
			}
			sameFloats(t, fmt.Sprint(s), results(0), results(n))
		}
	})
}

func TestChannelNormInPlace(t *testing.T) {
	s := Channels{N: 2, C: 3, Size: 4}
	x, y := noise(1, 24), make([]float32, 24)
	norm := ChannelNorm{Channels: s, Eps: 1e-5, Scale: noise(2, 3), Shift: noise(3, 3), Mean: noise(4, 3), Variance: []float32{1, 2, 3}}
	norm.Forward(x, y)
	norm.Forward(x, x)
	if !slices.Equal(x, y) {
		t.Errorf("in place: got %v, want %v", x, y)
	}
}

func TestChannelNormThreads(t *testing.T) {
	s := Channels{N: 16, C: 5, Size: 900}
	x := noise(1, s.N*s.C*s.Size)
	sameBits(t, "statistics", func() []float32 {
		out := make([]float32, 2*s.C)
		norm := ChannelNorm{Channels: s, Mean: out[:s.C], Variance: out[s.C:]}
		norm.Stats(x)
		return out
	})
}

func TestChannelNormPanics(t *testing.T) {
	s := Channels{N: 2, C: 2, Size: 3}
	x, c := make([]float32, 12), make([]float32, 2)
	norm := ChannelNorm{Channels: s, Scale: c, Shift: c, Mean: c, Variance: c, Limited: true, High: 1}
	for what, g := range map[string]ChannelGrads{
		"sums without the input":      {Dy: x, Y: x, Dscale: c},
		"limits without a result":     {Dy: x, Dx: x},
		"what was added, by itself":   {Dy: x, X: x, Y: x, Dadd: x},
		"a gradient of another shape": {Dy: x, X: x, Y: x, Dx: x[:3]},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: got no panic", what)
				}
			}()
			norm.Backward(g)
		}()
	}
}

// BenchmarkChannelNorm has the shapes of ResNet-18 with batch 8: training, with
// ReLU. GB/s count what is read and written at least.
func BenchmarkChannelNorm(b *testing.B) {
	for _, s := range []Channels{{8, 64, 112 * 112}, {8, 64, 56 * 56}, {8, 128, 28 * 28}, {8, 256, 14 * 14}, {8, 512, 7 * 7}} {
		n := s.N * s.C * s.Size
		x, y, dy, dx := noise(1, n), make([]float32, n), noise(2, n), make([]float32, n)
		norm := ChannelNorm{Channels: s, Eps: 1e-5, Scale: noise(3, s.C), Shift: noise(4, s.C),
			Mean: make([]float32, s.C), Variance: make([]float32, s.C), Limited: true, High: float32(math.Inf(1))}
		dscale, dshift := make([]float32, s.C), make([]float32, s.C)
		b.Run(fmt.Sprintf("forward/%dx%d", s.C, s.Size), func(b *testing.B) {
			benchISA(b, func(b *testing.B) {
				b.SetBytes(int64(8 * n))
				for b.Loop() {
					norm.Train(x, y)
				}
			})
		})
		b.Run(fmt.Sprintf("backward/%dx%d", s.C, s.Size), func(b *testing.B) {
			benchISA(b, func(b *testing.B) {
				b.SetBytes(int64(12 * n))
				for b.Loop() {
					norm.Backward(ChannelGrads{Dy: dy, X: x, Train: true, Dx: dx, Dscale: dscale, Dshift: dshift})
				}
			})
		})
	}
}
