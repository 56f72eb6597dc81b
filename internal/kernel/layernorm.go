package kernel

import (
	"fmt"
	"math"
	"sync"
)

// Layer normalisation takes mean and variance of each row of n elements:
//
//	y = scale·x̂ + shift,  x̂ = (x - mean)/√(variance + ε)
//
// with scale and shift for each column. Ba, Kiros and Hinton, "Layer
// Normalization", 2016, https://arxiv.org/abs/1607.06450.

// layerNormLoops are loops over rows of n elements, which fill the first slice.
type layerNormLoops struct {
	forward func(y, x, scale, shift []float32, n int, eps float32) // shift may be nil
	grad    func(dx, x, dy, scale []float32, n int, eps float32)

	// sums adds the gradients of scale and shift up from as many rows as x has.
	// There is room for the next multiple of 16 elements.
	sums func(dscale, dshift []float64, x, dy []float32, n int, eps float32)
}

type layerNormArgs struct {
	y, x, scale, shift, dy []float32
	n                      int
	eps                    float32
	sums                   *layerNormSums
}

var (
	layerNorm       = split(layerNormRows)
	layerNormGrad   = split(layerNormGradRows)
	layerNormGather = split(layerNormGatherRows)
)

func checkRows(of string, n int, arrays, perColumn [][]float32) {
	for _, x := range arrays {
		if len(x) != len(arrays[0]) || n < 1 || len(x)%n != 0 {
			panic(fmt.Sprintf("kernel: %s: got %d and %d elements for rows of %d", of, len(arrays[0]), len(x), n))
		}
	}
	for _, x := range perColumn {
		if len(x) != n {
			panic(fmt.Sprintf("kernel: %s: got %d elements for %d columns", of, len(x), n))
		}
	}
}

// LayerNorm computes y from rows of len(scale) elements. shift may be nil: it
// counts as 0. y may be x.
func LayerNorm(y, x, scale, shift []float32, eps float32) {
	n := len(scale)
	checkRows("LayerNorm", n, [][]float32{y, x}, nil)
	if shift != nil {
		checkRows("LayerNorm", n, nil, [][]float32{shift})
	}
	layerNorm.do(len(x)/n, max(1, chunk/4/n), layerNormArgs{y: y, x: x, scale: scale, shift: shift, n: n, eps: eps})
}

func layerNormRows(a *layerNormArgs, lo, hi int) {
	active.layerNorm.forward(a.y[lo*a.n:hi*a.n], a.x[lo*a.n:], a.scale, a.shift, a.n, a.eps)
}

// LayerNormInputGrad computes the gradient dx of the input from that of the
// result. With g = scale·dy, and means over the row, it is
//
//	dx = (g - mean(g) - x̂·mean(g·x̂))/√(variance + ε)
//
// dx may be x or dy.
func LayerNormInputGrad(dx, x, dy, scale []float32, eps float32) {
	n := len(scale)
	checkRows("LayerNormInputGrad", n, [][]float32{dx, x, dy}, nil)
	layerNormGrad.do(len(x)/n, max(1, chunk/4/n), layerNormArgs{y: dx, x: x, dy: dy, scale: scale, n: n, eps: eps})
}

func layerNormGradRows(a *layerNormArgs, lo, hi int) {
	active.layerNorm.grad(a.y[lo*a.n:hi*a.n], a.x[lo*a.n:], a.dy[lo*a.n:], a.scale, a.n, a.eps)
}

// layerNormParts is the most parts of the rows that are summed up by themselves.
const layerNormParts = 16

// layerNormSums has the sums of each part: the gradients of scale, then those of
// shift, each with room for whole vectors.
type layerNormSums struct {
	parts [layerNormParts][]float64
	rows  int // in a part
}

var spareLayerNormSums = sync.Pool{New: func() any { return new(layerNormSums) }}

// LayerNormParamGrads computes the gradients of scale and shift, Σdy·x̂ and Σdy
// over the rows, from the gradient of the result.
func LayerNormParamGrads(dscale, dshift, x, dy []float32, eps float32) {
	n := len(dscale)
	checkRows("LayerNormParamGrads", n, [][]float32{x, dy}, [][]float32{dshift})
	s := spareLayerNormSums.Get().(*layerNormSums)
	rows, room := len(x)/n, blocks(n, 16)*16
	s.rows = max(blocks(rows, layerNormParts), chunk/n, 1)
	parts := blocks(rows, s.rows)
	for p := range parts {
		if len(s.parts[p]) < 2*room {
			s.parts[p] = make([]float64, 2*room)
		}
		clear(s.parts[p])
	}
	layerNormGather.do(parts, 1, layerNormArgs{x: x, dy: dy, n: n, eps: eps, sums: s})
	for i := range dscale {
		var scale, shift float64
		for _, sums := range s.parts[:parts] {
			scale += sums[i]
			shift += sums[room+i]
		}
		dscale[i], dshift[i] = float32(scale), float32(shift)
	}
	spareLayerNormSums.Put(s)
}

func layerNormGatherRows(a *layerNormArgs, lo, hi int) {
	rows := len(a.x) / a.n
	room := blocks(a.n, 16) * 16
	step := max(1, sumPiece/4/a.n) // loops in assembly cannot be interrupted
	for p := lo; p < hi; p++ {
		sums := a.sums.parts[p]
		end := min((p+1)*a.sums.rows, rows)
		for r := p * a.sums.rows; r < end; r += step {
			from, to := r*a.n, min(r+step, end)*a.n
			active.layerNorm.sums(sums[:a.n], sums[room:room+a.n], a.x[from:to], a.dy[from:], a.n, a.eps)
		}
	}
}

var layerNormGeneric = layerNormLoops{
	forward: func(y, x, scale, shift []float32, n int, eps float32) {
		for ; len(y) > 0; y, x = y[n:], x[n:] {
			mean, inv := rowStats(x[:n], eps)
			for i, s := range scale {
				y[i] = (x[i] - mean) * inv * s
			}
			for i, s := range shift {
				y[i] += s
			}
		}
	},
	grad: func(dx, x, dy, scale []float32, n int, eps float32) {
		for ; len(dx) > 0; dx, x, dy = dx[n:], x[n:], dy[n:] {
			mean, inv := rowStats(x[:n], eps)
			var sum, product float64
			for i, s := range scale {
				g := float64(dy[i] * s)
				sum += g
				product += g * float64(x[i]-mean)
			}
			offset := float32(sum / float64(n))
			slope := float32(product / float64(n) * float64(inv) * float64(inv))
			for i, s := range scale {
				dx[i] = (dy[i]*s - offset - (x[i]-mean)*slope) * inv
			}
		}
	},
	sums: func(dscale, dshift []float64, x, dy []float32, n int, eps float32) {
		for ; len(x) > 0; x, dy = x[n:], dy[n:] {
			mean, inv := rowStats(x[:n], eps)
			for i, g := range dy[:n] {
				dscale[i] += float64(g) * float64((x[i]-mean)*inv)
				dshift[i] += float64(g)
			}
		}
	},
}

// rowStats is the mean of a row and 1/√(variance + eps).
func rowStats(x []float32, eps float32) (mean, inv float32) {
	exact := sumsGeneric.sum(x) / float64(len(x))
	squares := 0.0
	for _, v := range x {
		d := float64(v) - exact
		squares += d * d
	}
	return float32(exact), float32(1 / math.Sqrt(squares/float64(len(x))+float64(eps)))
}
