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

// sparseCall is how many terms one call of an inner loop is given, at most,
// unless a row has more: calls cannot be interrupted.
const sparseCall = 16 << 10

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

// lists are the terms of each row of a sparse matrix.
type lists struct {
	isa     *sparseLoops
	version int64   // of the zeros they are made for
	counts  []int32 // of terms of a row
	first   []int   // term of a row
	terms   []int32
}

// start empties the lists.
func (l *lists) start() {
	l.counts, l.first, l.terms = l.counts[:0], l.first[:0], l.terms[:0]
}

func (l *lists) add(to, from int) { l.terms = append(l.terms, int32(4*to), int32(4*from)) }

// end ends a row.
func (l *lists) end() {
	before := 0
	if n := len(l.first); n > 0 {
		before = l.first[n-1] + int(l.counts[n-1])
	}
	l.first = append(l.first, before)
	l.counts = append(l.counts, int32(len(l.terms)/2-before))
}

// close ends the lists.
func (l *lists) close(version int64) {
	for range sparseAhead {
		l.terms = append(l.terms, 0, 0)
	}
	l.version = version
}

// run computes rows lo to hi-1 for columns that fill so many vectors.
func (l *lists) run(lo, hi, vectors int, a, b, start, c []float32, rowC, add int) {
	for lo < hi {
		next, terms := lo+1, int(l.counts[lo])
		for next < hi && terms+int(l.counts[next]) <= sparseCall {
			terms += int(l.counts[next])
			next++
		}
		l.isa.rows[vectors-1](l.counts[lo:next], l.terms[2*l.first[lo]:], a, b, start, c, 4*rowC, add)
		if next == hi {
			return
		}
		if start != nil {
			start = start[next-lo:]
		}
		c = c[(next-lo)*rowC:]
		lo = next
	}
}

// panels are a transposed matrix: elements of so many columns, which were rows,
// lie together for each row.
type panels struct {
	rows, cols int // of the whole, as transposed
	width      int // of a panel
}

func newPanels(isa *sparseLoops, rows, cols, most int) panels {
	width := min(most*isa.lanes, blocks(cols, isa.lanes)*isa.lanes)
	return panels{rows, cols, width}
}

func (p *panels) count() int { return blocks(p.cols, p.width) }

// room is how many elements they take.
func (p *panels) room() int { return p.count() * p.rows * p.width }

var panelRooms freeList[[]float32]

// getPanels returns room for n elements or more.
func getPanels(n int) *[]float32 {
	room := panelRooms.get()
	if len(*room) < n {
		*room = make([]float32, n)
	}
	return room
}

type panelArgs struct {
	p     *panels
	to, x []float32
}

// transpose makes panels of x, which has their columns as rows.
func (p *panels) transpose(to, x []float32) {
	panelParts.do(p.count()*blocks(p.rows, sparseBlock), max(1, chunk/(sparseBlock*p.width)), panelArgs{p, to, x})
}

var panelParts = split(func(a *panelArgs, lo, hi int) {
	p := a.p
	parts := blocks(p.rows, sparseBlock)
	for task := lo; task < hi; task++ {
		col, row := task/parts*p.width, task%parts*sparseBlock
		to := a.to[col*p.rows+row*p.width:]
		end := min(p.cols, col+p.width)
		for c := col; c < end; c += tileEdge {
			transposeTile(to[c-col:], a.x, c*p.rows+row, min(sparseBlock, p.rows-row), min(tileEdge, end-c), p.width, p.rows)
		}
	}
})

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
	room := getPanels(p.room())
	defer panelRooms.put(room)
	at := *room
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
	room := getPanels(p.as.room() + p.bs.room())
	defer panelRooms.put(room)
	as, bs := (*room)[:p.as.room()], (*room)[p.as.room():]
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
