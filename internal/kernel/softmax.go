package kernel

import (
	"fmt"
	"math"
)

// Softmax computes exp(x)/Σexp(x), and its logarithm if log is set, along the
// middle axis of an array of shape (outer, n, inner). The largest x is taken
// out first, so nothing overflows. out may be x.
func Softmax(out, x []float32, outer, n, inner int, log bool) {
	a := softmaxArgs{out: out, x: x, n: n, inner: inner, log: log}
	a.do(outer, softmaxRows, softmaxBlocks)
}

// SoftmaxGrad computes the gradient of the input of Softmax from its result y
// and the gradient g of y: y·(g - Σg·y), or g - exp(y)·Σg if log is set. out
// may be g.
func SoftmaxGrad(out, y, g []float32, outer, n, inner int, log bool) {
	if len(g) != len(y) {
		panic(fmt.Sprintf("kernel: got %d elements of gradient, want %d", len(g), len(y)))
	}
	a := softmaxArgs{out: out, x: y, g: g, n: n, inner: inner, log: log}
	a.do(outer, softmaxGradRows, softmaxGradBlocks)
}

type softmaxArgs struct {
	out, x, g []float32
	n, inner  int
	log       bool
}

// softmaxWidth is how many neighbouring columns are worked on at a time where
// the axis is not the innermost.
const softmaxWidth = 64

func (a softmaxArgs) do(outer int, rows, blocks *splitter[softmaxArgs]) {
	if want := outer * a.n * a.inner; len(a.out) != want || len(a.x) != want {
		panic(fmt.Sprintf("kernel: got %d and %d elements for softmax, want %d", len(a.out), len(a.x), want))
	}
	if len(a.out) == 0 {
		return
	}
	const grain = chunk / 4 // an exponential costs more than a sum
	if a.inner == 1 {
		rows.do(outer, grain/a.n, a)
		return
	}
	width := min(a.inner, softmaxWidth)
	blocks.do(outer*a.perOuter(), grain/(a.n*width), a)
}

func (a *softmaxArgs) perOuter() int { return blocks(a.inner, softmaxWidth) }

// block is where block b starts, and how many columns it has.
func (a *softmaxArgs) block(b int) (start, width int) {
	col := b % a.perOuter() * softmaxWidth
	return b/a.perOuter()*a.n*a.inner + col, min(softmaxWidth, a.inner-col)
}

var softmaxRows = split(func(a *softmaxArgs, lo, hi int) {
	for r := lo; r < hi; r++ {
		out, x := a.out[r*a.n:(r+1)*a.n], a.x[r*a.n:(r+1)*a.n]
		if a.log {
			lse := logSumExp(x)
			for i := range out {
				out[i] = float32(float64(x[i]) - lse)
			}
			continue
		}
		top, sum := maximum(x), 0.0
		for i := range out {
			out[i] = exp(x[i] - top)
			sum += float64(out[i])
		}
		inv := float32(1 / sum)
		for i := range out {
			out[i] *= inv
		}
	}
})

var softmaxBlocks = split(func(a *softmaxArgs, lo, hi int) {
	for b := lo; b < hi; b++ {
		start, width := a.block(b)
		var tops [softmaxWidth]float32
		var sums [softmaxWidth]float64
		top, sum := tops[:width], sums[:width]
		copy(top, a.x[start:start+width])
		for k := 1; k < a.n; k++ {
			x := a.x[start+k*a.inner:][:width]
			for i := range x {
				top[i] = max(top[i], x[i])
			}
		}
		for k := range a.n {
			x := a.x[start+k*a.inner:][:width]
			for i := range x {
				sum[i] += float64(exp(x[i] - top[i]))
			}
		}
		for i := range sum {
			if a.log {
				sum[i] = float64(top[i]) + math.Log(sum[i])
			} else {
				sum[i] = 1 / sum[i]
			}
		}
		for k := range a.n {
			x, out := a.x[start+k*a.inner:][:width], a.out[start+k*a.inner:][:width]
			for i := range x {
				if a.log {
					out[i] = float32(float64(x[i]) - sum[i])
				} else {
					out[i] = exp(x[i]-top[i]) * float32(sum[i])
				}
			}
		}
	}
})

var softmaxGradRows = split(func(a *softmaxArgs, lo, hi int) {
	for r := lo; r < hi; r++ {
		out, y, g := a.out[r*a.n:(r+1)*a.n], a.x[r*a.n:(r+1)*a.n], a.g[r*a.n:(r+1)*a.n]
		sum := 0.0
		for i := range y {
			sum += softmaxGradTerm(y[i], g[i], a.log)
		}
		softmaxGradRow(out, y, g, float32(sum), a.log)
	}
})

var softmaxGradBlocks = split(func(a *softmaxArgs, lo, hi int) {
	for b := lo; b < hi; b++ {
		start, width := a.block(b)
		var sums [softmaxWidth]float64
		sum := sums[:width]
		for k := range a.n {
			y, g := a.x[start+k*a.inner:][:width], a.g[start+k*a.inner:][:width]
			for i := range sum {
				sum[i] += softmaxGradTerm(y[i], g[i], a.log)
			}
		}
		for k := range a.n {
			at := start + k*a.inner
			for i := range sum {
				j := at + i
				softmaxGradRow(a.out[j:j+1], a.x[j:j+1], a.g[j:j+1], float32(sum[i]), a.log)
			}
		}
	}
})

func softmaxGradTerm(y, g float32, log bool) float64 {
	if log {
		return float64(g)
	}
	return float64(g) * float64(y)
}

func softmaxGradRow(out, y, g []float32, sum float32, log bool) {
	if log {
		for i := range out {
			out[i] = g[i] - exp(y[i])*sum
		}
		return
	}
	for i := range out {
		out[i] = y[i] * (g[i] - sum)
	}
}

// maximum keeps four candidates, so comparisons need not wait for one another.
func maximum(x []float32) float32 {
	a, b, c, d := x[0], x[0], x[0], x[0]
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d = max(a, x[0]), max(b, x[1]), max(c, x[2]), max(d, x[3])
	}
	for _, v := range x {
		a = max(a, v)
	}
	return max(max(a, b), max(c, d))
}

// logSumExp is log Σexp(x), with the largest x taken out so nothing overflows.
func logSumExp(x []float32) float64 {
	top, sum := maximum(x), 0.0
	for _, v := range x {
		sum += float64(exp(v - top))
	}
	return float64(top) + math.Log(sum)
}
