package onnxload

import (
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// attended is a value that was recognised as softmax(scale·q·kᵀ + mask)·v.
type attended struct {
	q, k, v *value
	perms   [3][]int // of the axes of q, k and v
	mask    *value   // or nil
	scale   float64
}

// attention recognises, for the node that made v, attention as exporters write it
// out: products, with a Softmax between them. Behind it, and of its operands, a
// Transpose that moves the axis of the heads is taken in, for the kernel can read
// and write that way. Scores and shares must have no other reader: they are not
// going to exist.
func (d *idioms) attention(c *call, v *value) (*G.Node, error) {
	switch c.Op {
	case "MatMul":
		a := d.shared(c)
		if a == nil {
			return nil, nil
		}
		d.heads[v] = a
		return a.node(c, nil)
	case "Transpose":
		a, perm := d.heads[c.in[0]], d.permutation(v)
		if a == nil || perm == nil || perm[len(perm)-1] != len(perm)-1 || !d.alone(c.in[0]) {
			return nil, nil
		}
		return a.node(c, perm)
	}
	return nil, nil
}

// node computes the attention, with the axes of the result permuted.
func (a *attended) node(c *call, perm []int) (*G.Node, error) {
	var operands [3]op.Heads
	for i, v := range []*value{a.q, a.k, a.v} {
		operands[i] = op.Heads{X: c.nodeOf(v), Perm: a.perms[i]}
		if last := len(v.shape) - 1; a.perms[i][last] != last {
			x, err := op.Transpose(operands[i].X, a.perms[i])
			if err != nil {
				return nil, err
			}
			operands[i] = op.Heads{X: x}
		}
	}
	var mask *G.Node
	if a.mask != nil {
		mask = c.nodeOf(a.mask)
	}
	return op.Attention(operands[0], operands[1], operands[2], mask, float32(a.scale), perm)
}

// shared recognises attention by its last product.
func (d *idioms) shared(c *call) *attended {
	shares, v := c.in[0], c.in[1]
	soft := d.made[shares]
	rank := len(v.shape)
	if soft == nil || soft.Op != "Softmax" || rank < 2 || len(shares.shape) != rank || !d.alone(shares) {
		return nil
	}
	def := -1
	if soft.Opset < 13 {
		def = 1
	}
	if axis := soft.Attrs.Int("axis", def); axis != -1 && axis != rank-1 {
		return nil
	}
	a := &attended{scale: 1}
	product := d.scores(soft.in[0], shares.shape, a)
	if product == nil || len(product[0].shape) != rank || len(product[1].shape) != rank {
		return nil
	}
	q, kT := product[0], product[1]
	batch := q.shape[:rank-2]
	if !slices.Equal(kT.shape[:rank-2], batch) || !slices.Equal(v.shape[:rank-2], batch) || slices.Contains(q.shape, 0) || slices.Contains(kT.shape, 0) || slices.Contains(v.shape, 0) {
		return nil
	}
	var factors [3]float64
	factors[0], a.q, a.perms[0] = d.view(q)
	factors[1], a.k, a.perms[1] = d.view(kT)
	k := a.perms[1] // of the transposed
	k[rank-2], k[rank-1] = k[rank-1], k[rank-2]
	factors[2], a.v, a.perms[2] = d.view(v)
	if factors[2] != 1 {
		a.v, a.perms[2] = v, identity(rank)
	}
	a.scale *= factors[0] * factors[1]
	if math.IsNaN(a.scale) || math.IsInf(a.scale, 0) {
		return nil
	}
	return a
}

// scores takes the scores apart: a mask may have been added, and before that a
// product scaled. It returns the operands of the product, nil if there is none.
func (d *idioms) scores(v *value, shape []int, a *attended) []*value {
	for slices.Equal(v.shape, shape) && d.alone(v) {
		c := d.made[v]
		if c == nil {
			return nil
		}
		switch c.Op {
		case "MatMul":
			return c.in
		case "Mul", "Div":
			f, rest := d.factor(c)
			if rest == nil {
				return nil
			}
			a.scale *= f
			v = rest
		case "Add":
			if a.mask != nil || a.scale != 1 {
				return nil
			}
			a.mask, v = c.in[1], c.in[0]
			if !slices.Equal(v.shape, shape) || d.made[v] == nil || !d.isMask(a.mask, shape) {
				a.mask, v = c.in[0], c.in[1]
			}
			if !d.isMask(a.mask, shape) {
				return nil
			}
		default:
			return nil
		}
	}
	return nil
}

// factor takes a product with a number apart; rest is nil if it is none.
func (d *idioms) factor(c *call) (f float64, rest *value) {
	if f := number(c.in[1]); !math.IsNaN(f) {
		if c.Op == "Div" {
			f = 1 / f
		}
		return f, c.in[0]
	}
	if f := number(c.in[0]); c.Op == "Mul" && !math.IsNaN(f) {
		return f, c.in[1]
	}
	return 0, nil
}

// view takes v apart as a number times another value with its axes permuted.
func (d *idioms) view(v *value) (factor float64, of *value, perm []int) {
	factor, perm = 1, identity(len(v.shape))
	for {
		c := d.made[v]
		switch {
		case c == nil:
			return factor, v, perm
		case c.Op == "Transpose":
			p := d.permutation(v)
			for k, axis := range perm {
				perm[k] = p[axis]
			}
			v = c.in[0]
		case c.Op == "Mul" || c.Op == "Div":
			f, rest := d.factor(c)
			if rest == nil || len(rest.shape) != len(v.shape) {
				return factor, v, perm
			}
			factor *= f
			v = rest
		default:
			return factor, v, perm
		}
	}
}

// permutation is that of the Transpose that made v.
func (d *idioms) permutation(v *value) []int {
	perm := d.made[v].Attrs.Ints("perm", nil)
	if perm == nil {
		perm = identity(len(v.shape))
		slices.Reverse(perm)
	}
	perm = slices.Clone(perm)
	for k, axis := range perm {
		if axis < 0 {
			perm[k] += len(perm)
		}
	}
	return perm
}

func identity(n int) []int {
	perm := make([]int, n)
	for k := range perm {
		perm[k] = k
	}
	return perm
}

// isMask tells whether v can be the mask of scores of a shape: it broadcasts to
// them, not along the columns, and nothing in it is learned.
func (d *idioms) isMask(v *value, shape []int) bool {
	n := len(v.shape)
	if n == 0 || n > len(shape) || v.shape[n-1] != shape[len(shape)-1] {
		return false
	}
	for i, size := range v.shape {
		if size != 1 && size != shape[len(shape)-n+i] {
			return false
		}
	}
	return !d.learned(v, map[*value]bool{})
}

// learned tells whether a gradient may be wanted of v, or of what it was made of.
func (d *idioms) learned(v *value, seen map[*value]bool) bool {
	if v == nil || v.known || seen[v] || !v.dtype.IsFloat() {
		return false
	}
	seen[v] = true
	c := d.made[v]
	if c == nil {
		return v.param != nil || v.node == nil || v.node.Op() != nil // else it is an input
	}
	return slices.ContainsFunc(c.in, func(in *value) bool { return d.learned(in, seen) })
}

// alone tells whether v has no more than one reader.
func (d *idioms) alone(v *value) bool {
	if d.readers == nil {
		d.readers = map[string]int{}
		for _, n := range d.model.Nodes {
			for _, names := range [][]string{n.Inputs, n.Captures} {
				for _, name := range names {
					d.readers[name]++
				}
			}
		}
		for _, out := range d.model.Outputs {
			d.readers[out.Name] += 2
		}
	}
	return d.readers[v.name] < 2
}
