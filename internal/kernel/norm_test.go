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

func TestBatchNorm(t *testing.T) {
	const eps = 1e-3
	for _, s := range []Channels{{N: 1, C: 1, Size: 2}, {N: 4, C: 3, Size: 1}, {N: 3, C: 5, Size: 7}, {N: 64, C: 2, Size: 150}} {
		what := fmt.Sprintf("%+v: ", s)
		n := s.N * s.C * s.Size
		x, dy, scale, shift, mean, variance := noise(1, n), noise(2, n), noise(3, s.C), noise(4, s.C), noise(5, s.C), noise(6, s.C)
		for i := range x {
			x[i] += 10 // cancellation in sums of squares would show
		}
		for c := range variance {
			variance[c] *= variance[c]
		}
		want := sumsOf(s, x, dy, mean, variance, eps)
		y, dx := make([]float64, n), make([]float64, n)
		for i := range x {
			c := i / s.Size % s.C
			factor := float64(scale[c]) / math.Sqrt(want.variance[c]+eps)
			y[i] = (float64(x[i])-want.mean[c])*factor + float64(shift[c])
			dx[i] = float64(dy[i]) * factor
		}
		got := dirty(n)
		BatchNorm(s, x, scale, shift, mean, variance, eps, got)
		compare(t, what+"result", got, y, 1e-5)
		BatchNormBackward(s, dy, scale, variance, eps, got)
		compare(t, what+"gradient of the input", got, dx, 1e-5)
		dscale, dshift := dirty(s.C), dirty(s.C)
		BatchNormGrads(s, x, dy, mean, variance, eps, dscale, dshift)
		compare(t, what+"gradient of the scale", dscale, want.sumGX, 1e-5)
		compare(t, what+"gradient of the shift", dshift, want.sumG, 1e-5)
		ChannelSums(s, dy, dshift)
		compare(t, what+"channel sums", dshift, want.sumG, 1e-5)

		want = sumsOf(s, x, dy, nil, nil, eps)
		BatchStats(s, x, mean, variance)
		compare(t, what+"means", mean, want.mean, 1e-6)
		compare(t, what+"variances", variance, want.variance, 1e-6)
		BatchNormGrads(s, x, dy, mean, variance, eps, dscale, dshift)
		BatchNormTrainBackward(s, x, dy, scale, mean, variance, dscale, dshift, eps, got)
		for i := range x {
			c := i / s.Size % s.C
			inv := 1 / math.Sqrt(want.variance[c]+eps)
			count := float64(s.N * s.Size)
			xhat := (float64(x[i]) - want.mean[c]) * inv
			dx[i] = float64(scale[c]) * inv * (float64(dy[i]) - want.sumG[c]/count - xhat*want.sumGX[c]/count)
		}
		compare(t, what+"gradient of the input through its statistics", got, dx, 2e-5)
	}
}

func TestBatchNormInPlace(t *testing.T) {
	s := Channels{N: 2, C: 3, Size: 4}
	x, scale, shift, mean, variance := noise(1, 24), noise(2, 3), noise(3, 3), noise(4, 3), []float32{1, 2, 3}
	y := make([]float32, len(x))
	BatchNorm(s, x, scale, shift, mean, variance, 1e-5, y)
	BatchNorm(s, x, scale, shift, mean, variance, 1e-5, x)
	if !slices.Equal(x, y) {
		t.Errorf("in place: got %v, want %v", x, y)
	}
}

func TestBatchNormThreads(t *testing.T) {
	s := Channels{N: 16, C: 5, Size: 900}
	x := noise(1, s.N*s.C*s.Size)
	sameBits(t, "statistics", func() []float32 {
		out := make([]float32, 2*s.C)
		BatchStats(s, x, out[:s.C], out[s.C:])
		return out
	})
}
