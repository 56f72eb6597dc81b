package op

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/kernel"
)

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
	o := Op{
		Name:  "Gemm",
		Shape: shape,
		Dtype: tensor.Float32,
		Diff:  []bool{true, true, true},
		Flops: p.flops(),
		Grad: func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
			grads, err := p.gradients("Gemm", in[0], in[1], g)
			if err != nil {
				return nil, err
			}
			dc, err := apply(Op{
				Name:  "GemmBiasGrad",
				Shape: in[2].Shape(),
				Dtype: tensor.Float32,
				Run: func(c *Call) error {
					kernel.FoldMatrix(c.In[0].F, p.m, p.n, row, col, beta, c.Out.F)
					return nil
				},
			}, g)
			return append(grads, dc), err
		},
	}
	if beta == 1 && row+col == 1 {
		o.finishing(finisher{
			upTo: gated, done: []doing{{part: addBias, row: row == 1, input: 2}},
			run: p.multiply(),
		})
	} else {
		o.Run = func(c *Call) error {
			kernel.SpreadMatrix(c.In[2].F, p.m, p.n, row, col, beta, c.Out.F)
			kernel.Gemm(transA, transB, p.m, p.n, p.k, alpha, c.In[0].F, as[1], c.In[1].F, bs[1], 1, c.Out.F, p.n)
			return nil
		}
	}
	return apply(o, a, b, c)
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
