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

// plane is channel c of image n of x.
func (s Channels) plane(x []float32, n, c int) []float32 {
	return x[(n*s.C+c)*s.Size:][:s.Size]
}

// grain is how many channels are worth a task.
func (s Channels) grain() int { return max(1, chunk/(s.N*s.Size+1)) }

type normArgs struct {
	s              Channels
	x, y, dy       []float32
	scale, shift   []float32
	mean, variance []float32
	sumG, sumGX    []float32
	eps            float32
}

var (
	channelSums   = split(channelSumsOf)
	normalize     = split(normalizeChannels)
	batchStats    = split(batchStatsOf)
	normGrads     = split(normGradsOf)
	normBackData  = split(normBackDataOf)
	normBackBatch = split(normBackBatchOf)
)

// total is the sum of x.
func total(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += float64(x[0])
		s1 += float64(x[1])
		s2 += float64(x[2])
		s3 += float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return (s0 + s1) + (s2 + s3)
}

// inverse is 1/sqrt(variance + eps).
func inverse(variance, eps float32) float64 {
	return 1 / math.Sqrt(float64(variance)+float64(eps))
}

// ChannelSums computes the sum of each channel of x.
func ChannelSums(s Channels, x, sums []float32) {
	s.check("ChannelSums", [][]float32{x}, [][]float32{sums})
	channelSums.do(s.C, s.grain(), normArgs{s: s, x: x, y: sums})
}

func channelSumsOf(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		sum := 0.0
		for n := range a.s.N {
			sum += total(a.s.plane(a.x, n, c))
		}
		a.y[c] = float32(sum)
	}
}

// BatchNorm computes y = scale·(x - mean)/sqrt(variance + eps) + shift, with one
// scale, shift, mean and variance for each channel.
func BatchNorm(s Channels, x, scale, shift, mean, variance []float32, eps float32, y []float32) {
	s.check("BatchNorm", [][]float32{x, y}, [][]float32{scale, shift, mean, variance})
	normalize.do(s.C, s.grain(), normArgs{s: s, x: x, y: y, scale: scale, shift: shift, mean: mean, variance: variance, eps: eps})
}

func normalizeChannels(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		factor := float32(float64(a.scale[c]) * inverse(a.variance[c], a.eps))
		mean, shift := a.mean[c], a.shift[c]
		for n := range a.s.N {
			x := a.s.plane(a.x, n, c)
			y := a.s.plane(a.y, n, c)
			for i, v := range x {
				y[i] = (v-mean)*factor + shift
			}
		}
	}
}

// BatchStats computes the mean and the biased variance of each channel of x.
func BatchStats(s Channels, x, mean, variance []float32) {
	s.check("BatchStats", [][]float32{x}, [][]float32{mean, variance})
	batchStats.do(s.C, s.grain(), normArgs{s: s, x: x, mean: mean, variance: variance})
}

func batchStatsOf(a *normArgs, lo, hi int) {
	count := float64(a.s.N * a.s.Size)
	for c := lo; c < hi; c++ {
		sum := 0.0
		for n := range a.s.N {
			sum += total(a.s.plane(a.x, n, c))
		}
		mean := sum / count
		squares := 0.0
		for n := range a.s.N {
			for _, v := range a.s.plane(a.x, n, c) {
				d := float64(v) - mean
				squares += d * d
			}
		}
		a.mean[c], a.variance[c] = float32(mean), float32(squares/count)
	}
}

// BatchNormGrads computes the gradients of scale and shift from the gradient dy
// of the output of BatchNorm.
func BatchNormGrads(s Channels, x, dy, mean, variance []float32, eps float32, dscale, dshift []float32) {
	s.check("BatchNormGrads", [][]float32{x, dy}, [][]float32{mean, variance, dscale, dshift})
	normGrads.do(s.C, s.grain(), normArgs{s: s, x: x, dy: dy, mean: mean, variance: variance, eps: eps, sumGX: dscale, sumG: dshift})
}

func normGradsOf(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		mean := a.mean[c]
		var sumG, sumGX float64
		for n := range a.s.N {
			x := a.s.plane(a.x, n, c)
			for i, g := range a.s.plane(a.dy, n, c) {
				sumG += float64(g)
				sumGX += float64(g) * float64(x[i]-mean)
			}
		}
		a.sumG[c], a.sumGX[c] = float32(sumG), float32(sumGX*inverse(a.variance[c], a.eps))
	}
}

// BatchNormBackward computes the gradient dx of the input of BatchNorm, where
// mean and variance do not depend on x.
func BatchNormBackward(s Channels, dy, scale, variance []float32, eps float32, dx []float32) {
	s.check("BatchNormBackward", [][]float32{dy, dx}, [][]float32{scale, variance})
	normBackData.do(s.C, s.grain(), normArgs{s: s, dy: dy, y: dx, scale: scale, variance: variance, eps: eps})
}

func normBackDataOf(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		factor := float32(float64(a.scale[c]) * inverse(a.variance[c], a.eps))
		for n := range a.s.N {
			dx := a.s.plane(a.y, n, c)
			for i, g := range a.s.plane(a.dy, n, c) {
				dx[i] = g * factor
			}
		}
	}
}

// BatchNormTrainBackward computes the gradient dx of the input of BatchNorm,
// where mean and variance are those that BatchStats finds in x. The gradients of
// scale and shift come from BatchNormGrads.
func BatchNormTrainBackward(s Channels, x, dy, scale, mean, variance, dscale, dshift []float32, eps float32, dx []float32) {
	s.check("BatchNormTrainBackward", [][]float32{x, dy, dx}, [][]float32{scale, mean, variance, dscale, dshift})
	normBackBatch.do(s.C, s.grain(), normArgs{s: s, x: x, dy: dy, y: dx, scale: scale, mean: mean, variance: variance, sumGX: dscale, sumG: dshift, eps: eps})
}

func normBackBatchOf(a *normArgs, lo, hi int) {
	count := float64(a.s.N * a.s.Size)
	for c := lo; c < hi; c++ {
		inv := inverse(a.variance[c], a.eps)
		// dx = scale·inv·(g - mean(g) - xhat·mean(g·xhat)), xhat = (x - mean)·inv
		factor := float32(float64(a.scale[c]) * inv)
		meanG := float32(float64(a.sumG[c]) / count)
		slope := float32(float64(a.sumGX[c]) / count * inv)
		mean := a.mean[c]
		for n := range a.s.N {
			x := a.s.plane(a.x, n, c)
			dx := a.s.plane(a.y, n, c)
			for i, g := range a.s.plane(a.dy, n, c) {
				dx[i] = factor * (g - meanG - (x[i]-mean)*slope)
			}
		}
	}
}
