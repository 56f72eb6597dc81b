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

// streams tells whether results should go past the caches: no cache is expected to
// hold them, and what they overwrite was not read just now.
func (s Channels) streams(to, from []float32) bool {
	return len(to) > streamed && &to[0] != &from[0]
}

// ChannelSums computes the sum of each channel of x.
func ChannelSums(s Channels, x, sums []float32) {
	s.check("ChannelSums", [][]float32{x}, [][]float32{sums})
	channelSums.do(s.C, s.grain(), normArgs{ChannelNorm: ChannelNorm{Channels: s}, x: x, dshift: sums})
}

var channelSums = split(channelSumsOf)

func channelSumsOf(a *normArgs, lo, hi int) {
	for c := lo; c < hi; c++ {
		a.dshift[c] = float32(a.sum(a.x, c))
	}
}
