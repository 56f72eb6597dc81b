package kernel

import (
	"fmt"
	"math"
)

// Interpolation is how a value between elements is made of them.
type Interpolation int

// The interpolations: the nearest element, two along each axis by their
// distance, or four by a cubic (Keys, Cubic Convolution Interpolation, 1981, with
// the parameter -0.75).
const (
	Nearest Interpolation = iota
	Linear
	Cubic
)

// Outside is what lies around an image.
type Outside int

// What may lie there: zeros, the nearest element of the border, or the image
// mirrored.
const (
	Zeros Outside = iota
	Border
	Mirror
)

// Sampler reads images of up to three spatial axes between their elements. The
// image is (images, channels, Size), the places are (images, points, axes), in
// elements along each axis, and the samples (images, channels, points).
type Sampler struct {
	Images, Channels, Points int
	Size                     []int
	Mode                     Interpolation
	Outside                  Outside
	EdgeCenters              bool // mirrors stand at the centres of the outermost elements, not at their edges
}

// taps is what an axis contributes to one sample.
type axisTaps struct {
	n             int
	index         [4]int // -1 for what is zero
	weight, slope [4]float64
}

func (s *Sampler) check(x, at, out int) {
	n := s.Images * s.Channels
	if x != n*product(s.Size) || out != n*s.Points || at != s.Images*s.Points*len(s.Size) {
		panic(fmt.Sprintf("kernel: Sampler %+v: got %d elements, %d coordinates and %d samples", *s, x, at, out))
	}
}

// each calls f for every point of every image with the taps of all axes; axes
// that an image lacks have one.
func (s *Sampler) each(at []float32, f func(image, point int, taps *[3]axisTaps)) {
	d := len(s.Size)
	var taps [3]axisTaps
	for k := range taps {
		taps[k] = axisTaps{n: 1, weight: [4]float64{1}}
	}
	for i := range s.Images {
		for p := range s.Points {
			for k, v := range at[(i*s.Points+p)*d:][:d] {
				s.taps(&taps[3-d+k], float64(v), s.Size[k])
			}
			f(i, p, &taps)
		}
	}
}

// volume is the size of an image filled up to three axes.
func (s *Sampler) volume() [3]int {
	size := [3]int{1, 1, 1}
	copy(size[3-len(s.Size):], s.Size)
	return size
}

// taps finds the elements of an axis of length n that a coordinate is made of.
func (s *Sampler) taps(t *axisTaps, x float64, n int) {
	if s.Mode == Nearest {
		x = math.RoundToEven(x)
	}
	x, sign := s.inside(x, n)
	base := int(math.Floor(max(min(x, 1e9), -1e9)))
	r := x - math.Floor(x)
	first := base
	switch s.Mode {
	case Nearest:
		t.n, t.weight[0], t.slope[0] = 1, 1, 0
	case Linear:
		t.n, t.weight, t.slope = 2, [4]float64{1 - r, r}, [4]float64{-1, 1}
	case Cubic:
		t.n, first = 4, base-1
		for k := range 4 {
			t.weight[k], t.slope[k] = cubic(r + 1 - float64(k))
		}
	}
	for k := range t.n {
		t.index[k] = s.element(first+k, n)
		t.slope[k] *= sign
	}
}

// inside brings a coordinate into the image, and says how it then moves.
func (s *Sampler) inside(x float64, n int) (at, sign float64) {
	low, high := -0.5, float64(n)-0.5
	if s.EdgeCenters {
		low, high = 0, float64(n-1)
	}
	switch {
	case x >= low && x <= high || s.Outside == Zeros:
		return x, 1
	case s.Outside == Border && x >= 0 && x <= float64(n-1):
		return x, 1
	case s.Outside == Border:
		return min(max(x, 0), float64(n-1)), 0
	}
	return mirror(x, low, high)
}

// mirror reflects x at both ends until it lies between them.
func mirror(x, low, high float64) (at, sign float64) {
	width := high - low
	if width <= 0 {
		return low, 0
	}
	if sign = 1; x < low {
		sign = -1
	}
	x = math.Mod(math.Abs(x-low), 2*width) // the mirrored axis has this period
	if x > width {
		x, sign = 2*width-x, -sign
	}
	return low + x, sign
}

// element is the element that stands at place i of an axis of length n, -1 for a
// zero.
func (s *Sampler) element(i, n int) int {
	switch {
	case i >= 0 && i < n:
		return i
	case s.Outside == Zeros:
		return -1
	case s.Outside == Border:
		return min(max(i, 0), n-1)
	}
	low, high := -0.5, float64(n)-0.5
	if s.EdgeCenters {
		low, high = 0, float64(n-1)
	}
	at, _ := mirror(float64(i), low, high)
	return min(max(int(math.Round(at)), 0), n-1)
}

// cubic is the share of an element at distance d, and its derivative.
func cubic(d float64) (weight, slope float64) {
	const a = -0.75
	sign := 1.0
	if d < 0 {
		d, sign = -d, -1
	}
	switch {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1, sign * (3*(a+2)*d - 2*(a+3)) * d
	case d < 2:
		return a * (((d-5)*d+8)*d - 4), sign * a * ((3*d-10)*d + 8)
	}
	return 0, 0
}

// eachTap calls f for every element that makes up a sample, with its place in a
// channel and its weights along the axes.
func eachTap(taps *[3]axisTaps, size [3]int, f func(at, i, j, k int)) {
	for i := range taps[0].n {
		for j := range taps[1].n {
			for k := range taps[2].n {
				a, b, c := taps[0].index[i], taps[1].index[j], taps[2].index[k]
				if a >= 0 && b >= 0 && c >= 0 {
					f((a*size[1]+b)*size[2]+c, i, j, k)
				}
			}
		}
	}
}

// Sample reads x at the places.
func (s *Sampler) Sample(out, x, at []float32) {
	s.check(len(x), len(at), len(out))
	size := s.volume()
	plane := volume(size)
	s.each(at, func(image, point int, taps *[3]axisTaps) {
		for c := range s.Channels {
			channel := image*s.Channels + c
			total := 0.0
			eachTap(taps, size, func(at, i, j, k int) {
				total += taps[0].weight[i] * taps[1].weight[j] * taps[2].weight[k] * float64(x[channel*plane+at])
			})
			out[channel*s.Points+point] = float32(total)
		}
	})
}

// ImageGrad computes the gradient of x from that of the samples.
func (s *Sampler) ImageGrad(dx, g, at []float32) {
	s.check(len(dx), len(at), len(g))
	clear(dx)
	size := s.volume()
	plane := volume(size)
	s.each(at, func(image, point int, taps *[3]axisTaps) {
		for c := range s.Channels {
			channel := image*s.Channels + c
			v := float64(g[channel*s.Points+point])
			eachTap(taps, size, func(at, i, j, k int) {
				dx[channel*plane+at] += float32(v * taps[0].weight[i] * taps[1].weight[j] * taps[2].weight[k])
			})
		}
	})
}

// PlaceGrad computes the gradient of the places from that of the samples.
func (s *Sampler) PlaceGrad(dat, g, x, at []float32) {
	s.check(len(x), len(at), len(g))
	size, d := s.volume(), len(s.Size)
	plane := volume(size)
	s.each(at, func(image, point int, taps *[3]axisTaps) {
		var total [3]float64
		for c := range s.Channels {
			channel := image*s.Channels + c
			v := float64(g[channel*s.Points+point])
			eachTap(taps, size, func(at, i, j, k int) {
				e := v * float64(x[channel*plane+at])
				w0, w1, w2 := taps[0].weight[i], taps[1].weight[j], taps[2].weight[k]
				total[0] += e * taps[0].slope[i] * w1 * w2
				total[1] += e * w0 * taps[1].slope[j] * w2
				total[2] += e * w0 * w1 * taps[2].slope[k]
			})
		}
		for k := range d {
			dat[(image*s.Points+point)*d+k] = float32(total[3-d+k])
		}
	})
}
