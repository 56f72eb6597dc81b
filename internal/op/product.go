package op

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/kernel"
)

// product is a batch of matrix products over flat storage: c = alpha·op(a)·op(b),
// m by k times k by n. batch is the shape of the batch; a, b and c give, for
// each of its axes, the distance between neighbours in elements, 0 where the
// operand is the same for all. A c that is the same for all is the sum.
//
// Both gradients of a product are products again: see left and right.
type product struct {
	transA, transB bool
	m, n, k        int
	alpha          float32
	batch          []int
	a, b, c        []int
}

// left is the product that gives the gradient of a, and whether its operands
// are (g, b) or, swapped, (b, g).
func (p product) left() (q product, swapped bool) {
	q = p
	if p.transA {
		q.transA, q.transB = p.transB, true
		q.m, q.n, q.k = p.k, p.m, p.n
		q.a, q.b, q.c = p.b, p.c, p.a
		return q, true
	}
	q.transA, q.transB = false, !p.transB
	q.m, q.n, q.k = p.m, p.k, p.n
	q.a, q.b, q.c = p.c, p.b, p.a
	return q, false
}

// right is the product that gives the gradient of b, and whether its operands
// are (a, g) or, swapped, (g, a).
func (p product) right() (q product, swapped bool) {
	q = p
	if p.transB {
		q.transA, q.transB = true, p.transA
		q.m, q.n, q.k = p.n, p.k, p.m
		q.a, q.b, q.c = p.c, p.a, p.b
		return q, true
	}
	q.transA, q.transB = !p.transA, false
	q.m, q.n, q.k = p.k, p.n, p.m
	q.a, q.b, q.c = p.a, p.c, p.b
	return q, false
}

// simplify turns batches that lie behind each other in storage into longer
// matrices: the rows of (N, T, K) times one (K, L) are those of (N·T, K), and a
// sum of products of stacked matrices is one product.
func (p product) simplify() product {
	for len(p.batch) > 0 {
		last := len(p.batch) - 1
		size, a, b, c := p.batch[last], p.a[last], p.b[last], p.c[last]
		switch {
		case size == 1:
		case b == 0 && !p.transA && a == p.m*p.k && c == p.m*p.n:
			p.m *= size
		case c == 0 && p.transA && !p.transB && a == p.m*p.k && b == p.k*p.n:
			p.k *= size
		default:
			return p
		}
		p.batch, p.a, p.b, p.c = p.batch[:last], p.a[:last], p.b[:last], p.c[:last]
	}
	return p
}

// offsets lists where the operands of each term begin, so that the terms of one
// result follow each other and the results lie in order.
func (p product) offsets() (a, b []int) {
	// Axes that are summed over vary fastest.
	var axes []int
	for i := range p.batch {
		if p.c[i] != 0 || p.batch[i] == 1 {
			axes = append(axes, i)
		}
	}
	for i := range p.batch {
		if p.c[i] == 0 && p.batch[i] != 1 {
			axes = append(axes, i)
		}
	}
	a, b = []int{0}, []int{0}
	for _, axis := range axes {
		var as, bs []int
		for t := range a {
			for i := range p.batch[axis] {
				as = append(as, a[t]+i*p.a[axis])
				bs = append(bs, b[t]+i*p.b[axis])
			}
		}
		a, b = as, bs
	}
	return a, b
}

// flops is the number of floating-point operations.
func (p product) flops() float64 {
	n := 2 * float64(p.m) * float64(p.n) * float64(p.k)
	for _, size := range p.batch {
		n *= float64(size)
	}
	return n
}

// node puts the product behind a node of the given shape.
func (p product) node(name string, a, b *G.Node, shape tensor.Shape) (*G.Node, error) {
	s := p.simplify()
	o := Op{
		Name:  name,
		Shape: shape,
		Dtype: tensor.Float32,
		Diff:  []bool{true, true},
		Flops: p.flops(),
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			return p.gradients(name, in[0], in[1], g)
		},
	}
	if len(s.batch) > 0 {
		aOff, bOff := s.offsets()
		o.Run = func(c *Call) error {
			kernel.GemmBatch(s.transA, s.transB, s.m, s.n, s.k, s.alpha, c.In[0].F, aOff, c.In[1].F, bOff, c.Out.F)
			return nil
		}
		return apply(o, a, b)
	}
	along := finisher{rows: -1, cols: -1, upTo: gated, run: s.multiply()}
	if last := len(shape) - 1; last >= 0 && shape[last] == s.n {
		along.cols = last
	}
	o.finishing(along)
	return apply(o, a, b)
}

// run computes a product that is no batch.
func (p product) run(c *Call, then kernel.Epilogue) {
	lda, ldb := p.k, p.n
	if p.transA {
		lda = p.m
	}
	if p.transB {
		ldb = p.k
	}
	kernel.GemmThen(p.transA, p.transB, p.m, p.n, p.k, p.alpha, c.In[0].F, lda, c.In[1].F, ldb, 0, c.Out.F, p.n, then)
}

// gradients are those of a and b when g is that of the product.
func (p product) gradients(name string, a, b, g *G.Node) (G.Nodes, error) {
	x, y := g, b
	q, swapped := p.left()
	if swapped {
		x, y = b, g
	}
	da, err := q.node(name+"Grad", x, y, a.Shape())
	if err != nil {
		return nil, err
	}
	x, y = a, g
	if q, swapped = p.right(); swapped {
		x, y = g, a
	}
	db, err := q.node(name+"Grad", x, y, b.Shape())
	if err != nil {
		return nil, err
	}
	return G.Nodes{da, db}, nil
}

// batchStrides is the distance between neighbours along the axes of batch, for
// an operand of the given batch shape and matrices of size elements.
func batchStrides(batch, shape []int, size int) []int {
	strides := make([]int, len(batch))
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] > 1 {
			strides[len(batch)-len(shape)+i] = size
		}
		size *= shape[i]
	}
	return strides
}
