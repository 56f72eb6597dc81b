package optim

import (
	"math"

	"finetune/internal/kernel"
)

// Adafactor keeps the mean squares of a matrix by its rows and its columns only,
// which is nearly no memory, and makes steps in proportion to the weights:
//
//	β = 1 − t^d                      d = −0.8
//	R ← βR + (1−β)·(mean of g² along each row)
//	C ← βC + (1−β)·(mean of g² along each column)
//	v = R·Cᵀ / mean(R)               of vectors: v ← βv + (1−β)g²
//	u = g/√v                         scaled down until its root mean square is at most D
//	w ← w − max(ε, RMS(w))·min(η, 1/√t)·u
//
// Rows and columns are those of the last two axes, as in PyTorch. Shazeer and
// Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML
// 2018, https://arxiv.org/abs/1804.04235.

var adafactorStages = []stage{
	{},
	{whole: adafactorMoments, chain: adafactorDirection},
	{whole: adafactorRate, chain: adafactorDescent},
}

func adafactorSlots(p *Param, _ Hyper) []slot {
	if p.Rank() < 2 {
		return []slot{{name: "variance"}}
	}
	_, rows, columns := p.matrices()
	n := len(p.Value)
	if n == 0 {
		return []slot{{name: "variance"}}
	}
	return []slot{{name: "row_var", size: n / columns}, {name: "col_var", size: n / rows}}
}

// matrices is how many matrices the last two axes make, and of which size.
func (p *Param) matrices() (count, rows, columns int) {
	k := p.Rank()
	rows, columns, count = p.Shape[k-2], p.Shape[k-1], 1
	for _, d := range p.Shape[:k-2] {
		count *= d
	}
	return count, rows, columns
}

// resolution is that of float32 at 1. Mean squares are kept above its square.
const resolution = 0x1p-23

// adafactorMoments brings R and C up to date and notes the mean of R.
func adafactorMoments(x *tensor) {
	if len(x.slots) == 1 {
		return
	}
	count, rows, columns := x.matrices()
	rest := math.Pow(float64(x.step), x.h.Beta2Decay)
	sums := x.room(0, columns)
	x.figures = x.figures[:0]
	for i := range count {
		r, c := x.slots[0][i*rows:(i+1)*rows], x.slots[1][i*columns:(i+1)*columns]
		clear(sums)
		for j := range r {
			at := (i*rows + j) * columns
			g := x.source[at : at+columns]
			for k, v := range g {
				sums[k] += float32(v * v)
			}
			r[j] += float32(rest * (kernel.SumSquares(g)/float64(columns) - float64(r[j])))
		}
		for k := range c {
			c[k] += float32(rest * (float64(sums[k])/float64(rows) - float64(c[k])))
		}
		x.figures = append(x.figures, max(mean(r), resolution))
	}
}

func adafactorDirection(c *chain, x *tensor) {
	if len(x.slots) == 1 {
		rest := math.Pow(float64(x.step), x.h.Beta2Decay)
		c.each(adafactorVectorLoop, factors{beta2: float32(1 - rest), rest2: float32(rest), low: resolution * resolution})
		return
	}
	c.each(adafactorMatrixLoop, factors{low: resolution * resolution})
}

func adafactorVectorLoop(b *block, k *factors) {
	u, v := b.u, b.slot(0)
	for i, g := range u {
		v[i] = float32(k.beta2*v[i]) + float32(float32(k.rest2*g)*g)
		u[i] = g / sqrt(max(v[i], k.low))
	}
}

func adafactorMatrixLoop(b *block, k *factors) {
	_, rows, columns := b.x.matrices()
	r, c := b.x.slots[0], b.x.slots[1]
	for i := 0; i < len(b.u); {
		row, column := (b.lo+i)/columns, (b.lo+i)%columns
		matrix := row / rows
		scale := float32(float64(r[row]) / b.x.figures[matrix])
		n := min(columns-column, len(b.u)-i)
		for j, v := range c[matrix*columns+column:][:n] {
			b.u[i+j] /= sqrt(max(float32(scale*v), k.low))
		}
		i += n
	}
}

func adafactorRate(x *tensor) {
	n := math.Sqrt(float64(max(1, len(x.Value))))
	rate := min(x.h.LR, 1/math.Sqrt(float64(x.step)))
	x.figure = max(x.h.Eps, norm(x.Value)/n) * rate / max(1, norm(x.update)/(n*x.h.ClipThreshold))
}

func adafactorDescent(c *chain, x *tensor) { c.add(descend(x.figure)) }
