package kernel

import "math"

// Where all weights of a row or a column are zero, or those of a channel of a
// convolution, the product is one of smaller matrices: what is left is copied
// together, multiplied as if nothing were missing, and its result put where it
// belongs.

// The time that what is left takes with all the copying, in that of a dense
// product, measured with BenchmarkCompact: of products, of gradients of weights,
// and of convolutions.
const (
	compactProductCost  = 1.4
	compactGradientCost = 1.55
	compactConvCost     = 1.4
)

// live are the rows and columns of a matrix that are not all zero.
type live struct {
	version          int64
	rows, cols       []int
	allRows, allCols int // there are
	size             int // elements of a row and a column
}

// update finds them.
func (l *live) update(z *Pruned) bool {
	if l.version == z.version {
		return false
	}
	l.version = z.version
	rows, cols := make([]bool, l.allRows), make([]bool, l.allCols)
	for r := range rows {
		for c := range cols {
			for _, keep := range z.keep[(r*l.allCols+c)*l.size:][:l.size] {
				if keep {
					rows[r], cols[c] = true, true
				}
			}
		}
	}
	l.rows, l.cols = set(l.rows[:0], rows), set(l.cols[:0], cols)
	return true
}

// set appends the numbers of the flags that are set.
func set(to []int, flags []bool) []int {
	for i, f := range flags {
		if f {
			to = append(to, i)
		}
	}
	return to
}

// cost is the time of the smaller product as a share of the dense one's, if it is
// so many times that of the elements.
func (l *live) cost(times float64) float64 {
	all := float64(l.allRows * l.allCols)
	left := float64(len(l.rows) * len(l.cols))
	if left == 0 || left == all {
		return math.Inf(1)
	}
	return times * left / all
}

// weights is how many elements are left.
func (l *live) weights() int { return len(l.rows) * len(l.cols) * l.size }

// pick copies what is left of w.
func (l *live) pick(to, w []float32) {
	compactParts.do(len(l.rows), max(1, chunk/(len(l.cols)*l.size)), compactArgs{
		to: to, from: w, outer: l.rows, inner: l.cols, stride: l.allCols, size: l.size,
	})
}

// spread puts what is left of w back, and zeros elsewhere.
func (l *live) spread(w, from []float32) {
	clear(w)
	compactParts.do(len(l.rows), max(1, chunk/(len(l.cols)*l.size)), compactArgs{
		to: w, from: from, outer: l.rows, inner: l.cols, stride: l.allCols, size: l.size, back: true,
	})
}

// compactArgs say what to copy between runs that lie together and those among all
// others.
type compactArgs struct {
	to, from     []float32
	outer, inner []int // nil outer is all
	stride       int   // of the outer, in runs
	size         int   // of a run
	back         bool  // from together to apart
}

var compactParts = split(func(a *compactArgs, lo, hi int) {
	for i := lo; i < hi; i++ {
		outer := i
		if a.outer != nil {
			outer = a.outer[i]
		}
		together, apart := a.from, a.to
		if !a.back {
			together, apart = a.to, a.from
		}
		n := len(a.inner) * a.size
		together, apart = together[i*n:][:n], apart[outer*a.stride*a.size:][:a.stride*a.size]
		switch {
		case a.back && a.size == 1:
			for j, at := range a.inner {
				apart[at] = together[j]
			}
		case a.size == 1:
			for j, at := range a.inner {
				together[j] = apart[at]
			}
		case a.back:
			for j, at := range a.inner {
				copy(apart[at*a.size:][:a.size], together[j*a.size:])
			}
		default:
			for j, at := range a.inner {
				copy(together[j*a.size:][:a.size], apart[at*a.size:])
			}
		}
	}
})

// CompactProduct is a SparseProduct for weights of which whole rows or columns
// are zero.
type CompactProduct struct {
	m     int
	trans bool
	live
}

// NewCompactProduct prepares a product.
func NewCompactProduct(m, n, k int, trans bool) *CompactProduct {
	if trans {
		return &CompactProduct{m: m, trans: true, live: live{allRows: n, allCols: k, size: 1}}
	}
	return &CompactProduct{m: m, live: live{allRows: k, allCols: n, size: 1}}
}

// Cost is the time it takes as a share of that of a dense product.
func (p *CompactProduct) Cost(z *Pruned) float64 {
	p.update(z)
	return p.cost(compactProductCost)
}

// Run computes the product and its epilogue. z are the zeros of b.
func (p *CompactProduct) Run(a, b, c []float32, z *Pruned, then Epilogue) {
	p.update(z)
	inner, outer, k, n, ldb := p.rows, p.cols, p.allRows, p.allCols, len(p.cols)
	if p.trans {
		inner, outer, k, n, ldb = p.cols, p.rows, p.allCols, p.allRows, len(p.cols)
	}
	shared := getShared(p.m*len(inner) + p.weights() + p.m*len(outer))
	defer shared.put()
	left, weights, results := shared.take(p.m*len(inner)), shared.take(p.weights()), shared.take(p.m*len(outer))
	pickChannels(left, a, p.m, inner, k, 1)
	p.pick(weights, b)
	if len(outer) == n {
		GemmThen(false, p.trans, p.m, n, len(inner), 1, left, len(inner), weights, ldb, 0, c, n, then)
		return
	}
	Gemm(false, p.trans, p.m, len(outer), len(inner), 1, left, len(inner), weights, ldb, 0, results, len(outer))
	spreadChannels(c, results, p.m, outer, n, 1)
	finishParts.do(p.m, max(1, chunk/n), finishArgs{c, then, n, p.m})
}

// finishArgs are rows of a result to be finished. After so many of them, Row of
// the epilogue begins anew.
type finishArgs struct {
	c    []float32
	then Epilogue
	size int
	rows int
}

var finishParts = split(func(a *finishArgs, lo, hi int) {
	if a.then.Empty() {
		return
	}
	for i := lo; i < hi; i++ {
		a.then.apply(a.c[i*a.size:][:a.size], i%a.rows, 0, i*a.size)
	}
})

// CompactGradient is a SparseGradient for weights of which whole rows or columns
// are zero.
type CompactGradient struct {
	k int
	live
}

// NewCompactGradient prepares a product.
func NewCompactGradient(m, n, k int) *CompactGradient {
	return &CompactGradient{k: k, live: live{allRows: m, allCols: n, size: 1}}
}

// Cost is the time it takes as a share of that of a dense product.
func (p *CompactGradient) Cost(z *Pruned) float64 {
	p.update(z)
	return p.cost(compactGradientCost)
}

// Run computes the product. z are the zeros of the weights.
func (p *CompactGradient) Run(a, b, c []float32, z *Pruned) {
	p.update(z)
	m, n := len(p.rows), len(p.cols)
	shared := getShared(p.k*m + p.k*n + m*n)
	defer shared.put()
	left, right, weights := shared.take(p.k*m), shared.take(p.k*n), shared.take(m*n)
	pickChannels(left, a, p.k, p.rows, p.allRows, 1)
	pickChannels(right, b, p.k, p.cols, p.allCols, 1)
	Gemm(true, false, m, n, p.k, 1, left, m, right, n, 0, weights, n)
	p.spread(c, weights)
	z.Clear(c)
}
