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

	// backward adds to dscale and dshift.
	backward func(dx, x, dy, scale, dscale, dshift []float32, n int, eps float32)
}

type layerNormArgs struct {
	y, x, scale, shift, dy []float32
	n                      int
	eps                    float32
	sums                   *layerNormSums
}

var (
	layerNorm         = split(layerNormRows)
	layerNormBackward = split(layerNormGradRows)
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

// layerNormParts is the most parts of the rows that are summed up by themselves,
// layerNormBlock the number of rows whose sums are taken in float32.
const (
	layerNormParts = 16
	layerNormBlock = 64
)

// layerNormSums has sums for each part.
type layerNormSums struct {
	parts [layerNormParts]struct {
		dscale, dshift         []float64 // with room for whole vectors
		blockScale, blockShift []float32
	}
	rows int // in a part
}

var spareLayerNormSums = sync.Pool{New: func() any { return new(layerNormSums) }}

// LayerNormBackward computes the gradients of the input, of scale and of shift
// from that of the result. With g = scale·dy, and means over the row, they are
//
//	dx = (g - mean(g) - x̂·mean(g·x̂))/√(variance + ε)
//
// and Σdy·x̂ and Σdy over the rows. dx may be x or dy.
func LayerNormBackward(dx, dscale, dshift, x, dy, scale []float32, eps float32) {
	n := len(scale)
	checkRows("LayerNormBackward", n, [][]float32{dx, x, dy}, [][]float32{dscale, dshift})
	s := spareLayerNormSums.Get().(*layerNormSums)
	rows, room := len(x)/n, blocks(n, 16)*16
	s.rows = blocks(max(blocks(rows, layerNormParts), chunk/4/n), layerNormBlock) * layerNormBlock
	parts := blocks(rows, s.rows)
	for i := range s.parts[:parts] {
		p := &s.parts[i]
		if len(p.dscale) < room {
			p.dscale, p.dshift = make([]float64, room), make([]float64, room)
			p.blockScale, p.blockShift = make([]float32, room), make([]float32, room)
		}
		clear(p.dscale)
		clear(p.dshift)
	}
	layerNormBackward.do(parts, 1, layerNormArgs{y: dx, x: x, dy: dy, scale: scale, n: n, eps: eps, sums: s})
	for i := range dscale {
		var sumScale, sumShift float64
		for k := range s.parts[:parts] {
			sumScale += s.parts[k].dscale[i]
			sumShift += s.parts[k].dshift[i]
		}
		dscale[i], dshift[i] = float32(sumScale), float32(sumShift)
	}
	spareLayerNormSums.Put(s)
}

func layerNormGradRows(a *layerNormArgs, lo, hi int) {
	rows := len(a.x) / a.n
	for i := lo; i < hi; i++ {
		p := &a.sums.parts[i]
		dscale, dshift := p.blockScale[:a.n], p.blockShift[:a.n]
		for r := i * a.sums.rows; r < min((i+1)*a.sums.rows, rows); r += layerNormBlock {
			from, to := r*a.n, min(r+layerNormBlock, rows)*a.n
			clear(dscale)
			clear(dshift)
			active.layerNorm.backward(a.y[from:to], a.x[from:], a.dy[from:], a.scale, dscale, dshift, a.n, a.eps)
			active.sums.columns(p.dscale[:a.n], dscale, 1, 0)
			active.sums.columns(p.dshift[:a.n], dshift, 1, 0)
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
	backward: func(dx, x, dy, scale, dscale, dshift []float32, n int, eps float32) {
		for ; len(dx) > 0; dx, x, dy = dx[n:], x[n:], dy[n:] {
			mean, inv := rowStats(x[:n], eps)
			var sum, product float64
			for i, s := range scale {
				normal := (x[i] - mean) * inv
				g := float64(dy[i] * s)
				sum += g
				product += g * float64(normal)
				dscale[i] += dy[i] * normal
				dshift[i] += dy[i]
			}
			offset, slope := float32(sum/float64(n)), float32(product/float64(n)*float64(inv))
			for i, s := range scale {
				dx[i] = (dy[i]*s - offset - (x[i]-mean)*slope) * inv
			}
		}
	},
}

// rowStats is the mean of a row and 1/√(variance + eps).
func rowStats(x []float32, eps float32) (mean, inv float32) {
	exact := sumGeneric(x) / float64(len(x))
	squares := 0.0
	for _, v := range x {
		d := float64(v) - exact
		squares += d * d
	}
	return float32(exact), float32(1 / math.Sqrt(squares/float64(len(x))+float64(eps)))
}
