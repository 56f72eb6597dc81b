package kernel

import "math"

// A product with a matrix that is mostly zero has a list of terms for each row
// of that matrix: where the element is, and where the row of the other factor is
// that it multiplies. The inner loop loads the element once and multiplies a few
// vectors of that row, whose sums stay in registers, so the work is in proportion
// to what is not zero, wherever it is. The scheme is that of Elsen, Dukhan, Gale
// and Simonyan, Fast Sparse ConvNets, 2020.
//
// Rows of the other factor are read in any order and, mostly, from the L2 cache,
// which gives half of what the registers could take, while a dense product is near
// the limit of the multiply-adders. So leaving zeros out pays from 72 % of them on
// with AVX-512, from 65 % with AVX2, and from 84 % and 72 % for gradients of weights;
// see docs/design/0006-sparse-weights.md for what was measured.

// sparseRoom is how many elements of the other factor are multiplied at a time:
// they should stay in the L2 cache.
const sparseRoom = 160 << 10

// sparseBlock is how many rows of a sparse matrix a task takes.
const sparseBlock = 64

// SparseProduct computes c = a·op(b) where many elements of b are zero, a is m by
// k, c is m by n, and b is stored as k by n or, if trans is set, as n by k.
type SparseProduct struct {
	m, n, k int
	trans   bool
	lists
	panels
}

// NewSparseProduct prepares a product.
func NewSparseProduct(m, n, k int, trans bool) *SparseProduct {
	p := &SparseProduct{m: m, n: n, k: k, trans: trans}
	p.isa = &active.sparse
	most := min(p.isa.most(), max(2, sparseRoom/k/p.isa.lanes))
	p.panels = newPanels(p.isa, k, m, most)
	return p
}

// sparseLimit is the most elements that offsets reach.
const sparseLimit = 1 << 29

// Cost is the time it takes as a share of that of a dense product, about.
func (p *SparseProduct) Cost(z *Pruned) float64 {
	if p.m < p.isa.lanes || len(z.keep) >= sparseLimit || p.k*p.width >= sparseLimit {
		return math.Inf(1)
	}
	return z.share() / p.isa.rowsPay
}

// update makes the lists.
func (p *SparseProduct) update(z *Pruned) {
	if p.version == z.version {
		return
	}
	row, col := 1, p.n
	if p.trans {
		row, col = p.k, 1
	}
	p.start()
	for j := range p.n {
		for i := range p.k {
			if at := j*row + i*col; z.keep[at] {
				p.lists.add(at, i*p.width)
			}
		}
		p.end()
	}
	p.close(z.version)
}

type sparseArgs struct {
	p    *SparseProduct
	at   []float32 // a, in panels
	b, c []float32
	then Epilogue
}

// Run computes the product and its epilogue. z are the zeros of b.
func (p *SparseProduct) Run(a, b, c []float32, z *Pruned, then Epilogue) {
	p.update(z)
	shared := getShared(p.room())
	defer shared.put()
	at := shared.take(p.room())
	p.transpose(at, a)
	sparseParts.do(p.count()*blocks(p.n, sparseBlock), 1, sparseArgs{p, at, b, c, then})
}

var sparseParts = split(func(a *sparseArgs, lo, hi int) {
	p := a.p
	pitch := p.width + 16
	mem := getMemory(sparseBlock * pitch)
	defer mem.put()
	room := mem.take(sparseBlock * pitch)
	parts := blocks(p.n, sparseBlock)
	for task := lo; task < hi; task++ {
		i, j := task/parts*p.width, task%parts*sparseBlock
		rows, cols := min(p.width, p.m-i), min(sparseBlock, p.n-j)
		then := a.then.from(i, j, i*p.n+j)
		p.run(j, j+cols, blocks(rows, p.isa.lanes), a.b, a.at[i*p.k:], then.Col, room, pitch, 0)
		then.Col = nil
		c := a.c[i*p.n+j:]
		for r := 0; r < rows; r += tileEdge {
			transposeTile(c[r*p.n:], room, r, min(tileEdge, rows-r), cols, p.n, pitch)
		}
		then.finish(0, c, 0, p.n, rows, cols)
	}
})
