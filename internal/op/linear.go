package op

import (
	"fmt"
	"slices"

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

// node puts the product behind a node of the given shape.
func (p product) node(name string, a, b *G.Node, shape tensor.Shape) (*G.Node, error) {
	s := p.simplify()
	run := func(c *Call) error {
		lda, ldb := s.k, s.n
		if s.transA {
			lda = s.m
		}
		if s.transB {
			ldb = s.k
		}
		kernel.Gemm(s.transA, s.transB, s.m, s.n, s.k, s.alpha, c.In[0].F, lda, c.In[1].F, ldb, 0, c.Out.F, s.n)
		return nil
	}
	if len(s.batch) > 0 {
		aOff, bOff := s.offsets()
		run = func(c *Call) error {
			kernel.GemmBatch(s.transA, s.transB, s.m, s.n, s.k, s.alpha, c.In[0].F, aOff, c.In[1].F, bOff, c.Out.F)
			return nil
		}
	}
	return apply(Op{
		Name:    name,
		Shape:   shape,
		Dtype:   tensor.Float32,
		Diff:    []bool{true, true},
		InPlace: -1,
		Run:     run,
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			return p.gradients(name, in[0], in[1], g)
		},
	}, a, b)
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

// MatMul is the product of a and b as numpy defines it: the last two axes hold
// matrices, those before are broadcast against each other. A vector on the left
// is a row, one on the right a column, and that axis is not in the result. The
// flags transpose the matrices of an operand, and have no effect on a vector.
func MatMul(a, b *G.Node, transA, transB bool) (*G.Node, error) {
	as, bs := a.Shape(), b.Shape()
	fail := func(why string) (*G.Node, error) {
		return nil, fmt.Errorf("MatMul: shapes %v and %v: %s", as, bs, why)
	}
	if err := needFloat("MatMul", a, b); err != nil {
		return nil, err
	}
	if len(as) == 0 || len(bs) == 0 {
		return fail("a scalar is not a matrix")
	}
	p := product{transA: transA && len(as) > 1, transB: transB && len(bs) > 1, alpha: 1}
	var ka, kb int
	p.m, ka = matrix(as, p.transA, true)
	kb, p.n = matrix(bs, p.transB, false)
	if ka != kb {
		return fail(fmt.Sprintf("inner sizes %d and %d differ", ka, kb))
	}
	p.k = ka
	var abatch, bbatch []int
	if len(as) > 2 {
		abatch = as[:len(as)-2]
	}
	if len(bs) > 2 {
		bbatch = bs[:len(bs)-2]
	}
	batch, err := broadcast(abatch, bbatch)
	if err != nil {
		return fail("leading axes: " + err.Error())
	}
	p.batch = batch
	p.a = batchStrides(batch, abatch, p.m*p.k)
	p.b = batchStrides(batch, bbatch, p.k*p.n)
	p.c = batchStrides(batch, batch, p.m*p.n)
	shape := slices.Clone(batch)
	if len(as) > 1 {
		shape = append(shape, p.m)
	}
	if len(bs) > 1 {
		shape = append(shape, p.n)
	}
	return p.node("MatMul", a, b, shape)
}

// matrix is the size of the matrices of an operand. A vector is a row on the
// left and a column on the right.
func matrix(s tensor.Shape, trans, left bool) (rows, cols int) {
	switch {
	case len(s) == 1 && left:
		return 1, s[0]
	case len(s) == 1:
		return s[0], 1
	}
	rows, cols = s[len(s)-2], s[len(s)-1]
	if trans {
		return cols, rows
	}
	return rows, cols
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

// Gemm is alpha·op(a)·op(b) + beta·c for matrices a and b. A flag transposes its
// operand. c may be nil; else it broadcasts to the shape of the product.
func Gemm(a, b, c *G.Node, transA, transB bool, alpha, beta float32) (*G.Node, error) {
	as, bs := a.Shape(), b.Shape()
	if err := needFloat("Gemm", a, b); err != nil {
		return nil, err
	}
	if len(as) != 2 || len(bs) != 2 {
		return nil, fmt.Errorf("Gemm: got shapes %v and %v, want matrices", as, bs)
	}
	p := product{transA: transA, transB: transB, alpha: alpha}
	var k int
	p.m, p.k = matrix(as, transA, true)
	k, p.n = matrix(bs, transB, false)
	if p.k != k {
		return nil, fmt.Errorf("Gemm: shapes %v and %v, transposed %t and %t: inner sizes %d and %d differ", as, bs, transA, transB, p.k, k)
	}
	shape := tensor.Shape{p.m, p.n}
	if c == nil {
		return p.node("Gemm", a, b, shape)
	}
	if err := needFloat("Gemm", c); err != nil {
		return nil, err
	}
	row, col, ok := biasStrides(c.Shape(), p.m, p.n)
	if !ok {
		return nil, fmt.Errorf("Gemm: shape %v of C does not broadcast to %v", c.Shape(), shape)
	}
	return apply(Op{
		Name:    "Gemm",
		Shape:   shape,
		Dtype:   tensor.Float32,
		Diff:    []bool{true, true, true},
		InPlace: -1,
		Run: func(c *Call) error {
			kernel.SpreadMatrix(c.In[2].F, p.m, p.n, row, col, beta, c.Out.F)
			kernel.Gemm(transA, transB, p.m, p.n, p.k, alpha, c.In[0].F, as[1], c.In[1].F, bs[1], 1, c.Out.F, p.n)
			return nil
		},
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			grads, err := p.gradients("Gemm", in[0], in[1], g)
			if err != nil {
				return nil, err
			}
			dc, err := apply(Op{
				Name:    "GemmBiasGrad",
				Shape:   in[2].Shape(),
				Dtype:   tensor.Float32,
				InPlace: -1,
				Run: func(c *Call) error {
					kernel.FoldMatrix(c.In[0].F, p.m, p.n, row, col, beta, c.Out.F)
					return nil
				},
			}, g)
			return append(grads, dc), err
		},
	}, a, b, c)
}

// biasStrides is the distance between neighbours in a row and in a column of a
// bias that broadcasts to m by n.
func biasStrides(s tensor.Shape, m, n int) (row, col int, ok bool) {
	rows, cols := 1, 1
	switch len(s) {
	case 0:
	case 1:
		cols = s[0]
	case 2:
		rows, cols = s[0], s[1]
	default:
		return 0, 0, false
	}
	if (rows != 1 && rows != m) || (cols != 1 && cols != n) {
		return 0, 0, false
	}
	if rows > 1 {
		row = cols
	}
	if cols > 1 {
		col = 1
	}
	return row, col, true
}
