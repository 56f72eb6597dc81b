package kernel

import "math"

// SparseGradient computes c = aᵀ·b, the gradient of weights of which many are
// zero: where they are, c is zero too. a is k by m, b is k by n.
type SparseGradient struct {
	m, n, k int
	lists
	as, bs panels
}

// NewSparseGradient prepares a product.
func NewSparseGradient(m, n, k int) *SparseGradient {
	p := &SparseGradient{m: m, n: n, k: k}
	p.isa = &active.sparse
	most := max(4, sparseRoom/n/p.isa.lanes)
	p.as, p.bs = newPanels(p.isa, m, k, most), newPanels(p.isa, n, k, most)
	return p
}

// Cost is the time it takes as a share of that of a dense product, about.
func (p *SparseGradient) Cost(z *Pruned) float64 {
	if p.k < p.isa.lanes || len(z.keep) >= sparseLimit || p.n*p.bs.width >= sparseLimit {
		return math.Inf(1)
	}
	return z.share() / p.isa.dotsPay
}

func (p *SparseGradient) update(z *Pruned) {
	if p.version == z.version {
		return
	}
	p.start()
	for i := range p.m {
		for j, keep := range z.keep[i*p.n:][:p.n] {
			if keep {
				p.add(i*p.n+j, j*p.bs.width)
			}
		}
		p.end()
	}
	p.close(z.version)
}

type sparseGradientArgs struct {
	p         *SparseGradient
	as, bs, c []float32
}

// Run computes the product. z are the zeros of the weights.
func (p *SparseGradient) Run(a, b, c []float32, z *Pruned) {
	p.update(z)
	shared := getShared(p.as.room() + p.bs.room())
	defer shared.put()
	as, bs := shared.take(p.as.room()), shared.take(p.bs.room())
	p.as.transpose(as, a)
	p.bs.transpose(bs, b)
	sparseGradients.do(blocks(p.m, sparseBlock/4), 1, sparseGradientArgs{p, as, bs, c})
}

var sparseGradients = split(func(a *sparseGradientArgs, lo, hi int) {
	p := a.p
	lo, hi = lo*sparseBlock/4, min(p.m, hi*sparseBlock/4)
	clear(a.c[lo*p.n : hi*p.n])
	for panel := range p.bs.count() {
		from := panel * p.bs.width
		n := min(p.bs.width, p.k-from)
		for i := lo; i < hi; i++ {
			p.isa.dots(p.terms[2*p.first[i]:], int(p.counts[i]), a.as[from*p.m+i*p.as.width:], a.bs[from*p.n:], a.c, n, 1, 0, 0, panel)
		}
	}
})
