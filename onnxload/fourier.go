package onnxload

import (
	"errors"
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// DFT: the discrete Fourier transform along an axis, of input (…, n, …, 1) or,
// complex, (…, n, …, 2), cut or filled up with zeros to dft_length. onesided keeps
// the first n/2 + 1 frequencies; the inverse of that is real. It is a product with
// a matrix: n² operations, for there is no fast transform here.
// https://onnx.ai/onnx/operators/onnx__DFT.html, opsets 17 to 20. Rejected: an axis
// or a length that is not constant.
func lowerDFT(c *call) ([]*value, error) {
	at, err := c.dftAxis()
	if err != nil {
		return nil, err
	}
	parts := c.shape(0)[c.rank(0)-1]
	inverse, onesided := c.Attrs.Int("inverse", 0) != 0, c.Attrs.Int("onesided", 0) != 0
	length := c.shape(0)[at]
	if inverse && onesided {
		length = 2 * (length - 1)
	}
	if c.has(1) {
		if length, err = c.int(1, "the length"); err != nil {
			return nil, err
		}
	}
	if length < 1 || length > maxExtent || parts != 1 && parts != 2 {
		return nil, fmt.Errorf("a transform of length %d of input %v", length, c.shape(0))
	}
	x, err := c.dftInput(at, length, inverse && onesided)
	if err != nil {
		return nil, err
	}
	// (…, n, parts) with the axis moved there, and back.
	perm := make([]int, 0, c.rank(0))
	for k := range c.rank(0) - 1 {
		if k != at {
			perm = append(perm, k)
		}
	}
	perm = append(perm, at, c.rank(0)-1)
	back := make([]int, len(perm))
	for k, p := range perm {
		back[p] = k
	}
	if x, err = op.Transpose(x, perm); err == nil {
		x, err = c.fourier(x, length, inverse, onesided)
	}
	if err == nil {
		x, err = op.Transpose(x, back)
	}
	return c.result(x, err)
}

// dftAxis is the axis to transform: an attribute before opset 20, then an input.
func (c *call) dftAxis() (int, error) {
	if c.rank(0) < 2 {
		return 0, fmt.Errorf("input has shape %v, want rank 2 or more", c.shape(0))
	}
	at, err := c.Attrs.Int("axis", 1), error(nil)
	if c.Opset >= 20 {
		at = -2
		if c.has(2) {
			if at, err = c.int(2, "the axis"); err != nil {
				return 0, err
			}
		}
	}
	if at, err = axis(at, c.rank(0)); err == nil && at == c.rank(0)-1 {
		err = errors.New("the last axis holds the parts of complex numbers")
	}
	return at, err
}

// dftInput is the input at the length of the transform. Of a one-sided spectrum
// the other half are the conjugates, which the matrix takes care of.
func (c *call) dftInput(at, length int, half bool) (*G.Node, error) {
	if half {
		length = length/2 + 1
	}
	shape := slices.Clone(c.shape(0))
	if shape[at] == length {
		return c.node(0), nil
	}
	shape[at] = length
	return c.fitted(c.node(0), shape)
}

// fourier transforms the last but one axis of x, whose last axis has one part or
// two. It makes one matrix of both: x as (…, n·parts) times (n·parts, m·2), or
// ·1 for the inverse of a one-sided spectrum.
func (c *call) fourier(x *G.Node, length int, inverse, onesided bool) (*G.Node, error) {
	s := x.Shape()
	n, parts := s[len(s)-2], s[len(s)-1]
	m, results := length, 2
	switch {
	case onesided && !inverse:
		m = length/2 + 1
	case onesided:
		results = 1
	}
	if n*parts*m*results > maxEvaluated {
		return nil, fmt.Errorf("a transform of length %d takes too large a matrix", length)
	}
	matrix := make([]float32, n*parts*m*results)
	for j := range n {
		for k := range m {
			angle := -2 * math.Pi * float64(j*k%length) / float64(length)
			scale := 1.0
			if inverse {
				angle, scale = -angle, 1/float64(length)
				if onesided && j > 0 && 2*j != length {
					scale *= 2 // with the conjugate, of which only the real part stays
				}
			}
			cos, sin := scale*math.Cos(angle), scale*math.Sin(angle)
			// (a + ib)(cos + i·sin) = (a·cos − b·sin) + i(a·sin + b·cos)
			entries := [2][2]float64{{cos, sin}, {-sin, cos}}
			for p := range parts {
				for r := range results {
					matrix[((j*parts+p)*m+k)*results+r] = float32(entries[p][r])
				}
			}
		}
	}
	lead := slices.Clone([]int(s[:len(s)-2]))
	x, err := op.Reshape(x, append(slices.Clone(lead), n*parts)...)
	if err == nil {
		x, err = op.MatMul(x, c.constant([]int{n * parts, m * results}, matrix...), false, false)
	}
	if err != nil {
		return nil, err
	}
	return op.Reshape(x, append(lead, m, results)...)
}

// STFT: the DFT of frames of the signal (batch, length, 1 or 2), frame_step apart,
// each multiplied by a window.
// https://onnx.ai/onnx/operators/onnx__STFT.html, opset 17. Rejected: a step or a
// frame length that is not constant.
func lowerSTFT(c *call) ([]*value, error) {
	step, err := c.int(1, "the frame step")
	if err != nil {
		return nil, err
	}
	length := 0
	switch {
	case c.has(3):
		if length, err = c.int(3, "the frame length"); err != nil {
			return nil, err
		}
	case c.has(2):
		length = c.in[2].size()
	default:
		return nil, errors.New("neither a window nor a frame length is given")
	}
	if c.rank(0) != 3 {
		return nil, fmt.Errorf("input has shape %v, want (batch, length, 1 or 2)", c.shape(0))
	}
	total := c.shape(0)[1]
	if step < 1 || length < 1 || length > total || c.has(2) && c.in[2].size() != length {
		return nil, fmt.Errorf("frames of %d, %d apart, of a signal of %d", length, step, total)
	}
	var index []int64
	frames := (total-length)/step + 1
	for f := range frames {
		for i := range length {
			index = append(index, int64(f*step+i))
		}
	}
	x, err := op.Gather(c.node(0), c.constantInts([]int{frames, length}, index), 1)
	if err == nil && c.has(2) {
		var w *G.Node
		if w, err = op.Reshape(c.node(2), length, 1); err == nil {
			x, err = op.Mul(x, w)
		}
	}
	if err != nil {
		return nil, err
	}
	return c.result(c.fourier(x, length, false, c.Attrs.Int("onesided", 1) != 0))
}

// cosineWindow lowers HannWindow, HammingWindow and BlackmanWindow of a constant
// size n: a₀ − a₁·cos(2πk/N) + a₂·cos(4πk/N), with N = n if periodic and n − 1 if
// not.
// https://onnx.ai/onnx/operators/onnx__HannWindow.html and so on, opset 17.
// Rejected: a size that is not constant.
func cosineWindow(a0, a1, a2 float64) func(c *call) ([]*value, error) {
	return func(c *call) ([]*value, error) {
		n, err := c.int(0, "the size")
		if err != nil {
			return nil, err
		}
		dt, ok := DTypeOf(c.Attrs.Int("output_datatype", 1))
		if !ok || !dt.IsFloat() || n < 0 || n > maxExtent {
			return nil, fmt.Errorf("a window of %d elements of type %s", n, dt)
		}
		period := float64(n)
		if c.Attrs.Int("periodic", 1) == 0 {
			period--
		}
		w := make([]float32, n)
		for k := range w {
			angle := 2 * math.Pi * float64(k) / period
			w[k] = float32(a0 - a1*math.Cos(angle) + a2*math.Cos(2*angle))
		}
		return c.generated(dt, []int{n}, op.Buffer{F: w})
	}
}

// MelWeightMatrix: the matrix that turns a spectrum into one of mel frequencies,
// by triangles between bins that are equally far apart on the mel scale,
// 2595·log₁₀(1 + f/700).
// https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html, opset 17. Rejected:
// inputs that are not constant.
func lowerMelWeightMatrix(c *call) ([]*value, error) {
	var ints [3]int
	for i, what := range []string{"the number of bins", "the length of the transform", "the sample rate"} {
		var err error
		if ints[i], err = c.int(i, what); err != nil {
			return nil, err
		}
	}
	var edges [2]float64
	for i, what := range []string{"the lower edge", "the upper edge"} {
		f, err := c.float(3+i, what)
		if err != nil {
			return nil, err
		}
		edges[i] = float64(f)
	}
	bins, length, rate := ints[0], ints[1], ints[2]
	if bins < 1 || bins > maxExtent || length < 0 || length > maxExtent || rate < 1 || bins*length > maxEvaluated {
		return nil, fmt.Errorf("%d bins for a transform of length %d at %d samples a second", bins, length, rate)
	}
	mel := func(f float64) float64 { return 2595 * math.Log10(1+f/700) }
	rows := length/2 + 1
	at := make([]int, bins+2) // the row of each edge of a triangle
	for i := range at {
		m := mel(edges[0]) + float64(i)*(mel(edges[1])-mel(edges[0]))/float64(bins+2)
		f := 700 * (math.Pow(10, m/2595) - 1)
		at[i] = int(math.Floor(float64(length+1) * f / float64(rate)))
	}
	w := make([]float32, rows*bins)
	set := func(row, bin int, v float64) {
		if row >= 0 && row < rows {
			w[row*bins+bin] = float32(v)
		}
	}
	for b := range bins {
		low, middle, high := at[b], at[b+1], at[b+2]
		if middle == low {
			set(middle, b, 1)
		}
		for row := low; row <= middle && middle > low; row++ {
			set(row, b, float64(row-low)/float64(middle-low))
		}
		if high > middle {
			for row := middle; row < high; row++ {
				set(row, b, float64(high-row)/float64(high-middle))
			}
		}
	}
	dt, ok := DTypeOf(c.Attrs.Int("output_datatype", 1))
	if !ok || !dt.IsFloat() {
		return nil, unsupported(c.Node, fmt.Sprintf("output type %s is not supported", dt))
	}
	return c.generated(dt, []int{rows, bins}, op.Buffer{F: w})
}
