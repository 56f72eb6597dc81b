package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Heads is an operand of Attention: X with its axes permuted, as Transpose does
// it, which is not done but read that way. A nil Perm leaves them as they are. The
// last axis has to stay the last.
type Heads struct {
	X    *G.Node
	Perm []int
}

// shape is that of the operand.
func (h Heads) shape() tensor.Shape {
	shape := slices.Clone(h.X.Shape())
	for k, axis := range h.Perm {
		shape[k] = h.X.Shape()[axis]
	}
	return shape
}

// heads tells the kernel where the matrices of a tensor are that becomes one of
// the given shape by a permutation; nil is none.
func heads(shape tensor.Shape, perm []int) kernel.Heads {
	stored := slices.Clone(shape)
	for k, axis := range perm {
		stored[axis] = shape[k]
	}
	strides := kernel.Strides(stored)
	along := slices.Clone(strides)
	for k, axis := range perm {
		along[k] = strides[axis]
	}
	return headsAt(shape, along)
}

// headsAt tells where the matrices along the last two of some axes begin, given
// the distances between neighbours along each axis.
func headsAt(shape tensor.Shape, strides []int) kernel.Heads {
	rank := len(shape)
	h := kernel.Heads{At: []int{0}, Stride: strides[rank-2]}
	for axis, n := range shape[:rank-2] {
		var at []int
		for _, from := range h.At {
			for i := range n {
				at = append(at, from+i*strides[axis])
			}
		}
		h.At = at
	}
	return h
}

// Attention is softmax(scale·q·kᵀ + mask)·v along the last two axes of operands of
// the same rank, whose axes before, those of examples and heads, are the same: q
// is (..., rows, size), k (..., columns, size), v (..., columns, value size), and
// the mask, which may be nil and has no gradient, broadcasts to (..., rows,
// columns), but not along the columns. perm permutes the axes of the result, which
// is (..., rows, value size); the last one stays. The whole matrix of scores is
// never stored; see kernel.Attention.
func Attention(q, k, v Heads, mask *G.Node, scale float32, perm []int) (*G.Node, error) {
	a, err := newAttention(q, k, v, mask, scale)
	if err != nil {
		return nil, fmt.Errorf("Attention: %w", err)
	}
	natural := q.shape()
	rank := len(natural)
	natural[rank-1] = a.ValueSize
	shape := natural.Clone()
	var inverse []int
	if perm != nil {
		if err := checkHeads(Heads{v.X, perm}, rank); err != nil {
			return nil, fmt.Errorf("Attention: %w", err)
		}
		inverse = make([]int, rank)
		for k, axis := range perm {
			inverse[axis] = k
			shape[k] = natural[axis]
		}
	}
	a.Y = heads(natural, inverse)

	// The result and, behind it, what the gradient needs of each row.
	size, rows := shape.TotalSize(), len(a.Y.At)*a.Rows
	in := []*G.Node{q.X, k.X, v.X}
	if mask != nil {
		in = append(in, mask)
	}
	args := func(in []Buffer, all []float32) kernel.AttentionArgs {
		args := kernel.AttentionArgs{Q: in[0].F, K: in[1].F, V: in[2].F, Y: all[:size], Logs: all[size:]}
		if mask != nil {
			args.Mask = in[3].F
		}
		return args
	}
	flops := 2 * float64(rows) * float64(a.Cols)
	all, err := apply(Op{
		Name: "Attention", Shape: tensor.Shape{size + rows}, Dtype: tensor.Float32,
		Flops: flops * float64(a.Size+a.ValueSize),
		Run: func(c *Call) error {
			a.Forward(args(c.In, c.Out.F))
			return nil
		},
	}, in...)
	if err != nil {
		return nil, err
	}
	// The inputs behind the first are for the gradient.
	return apply(Op{
		Name: "Attention", Shape: shape, Dtype: tensor.Float32, Alias: true,
		Diff: []bool{false, true, true, true, false}[:1+len(in)],
		Grad: func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			of := append(slices.Clone(in[1:]), in[0], g)
			grads, err := attentionGrads(q, k, v, of, flops*float64(3*a.Size+2*a.ValueSize), func(c *Call, dq, dk, dv []float32) {
				args := args(c.In, c.In[len(c.In)-2].F)
				args.DY, args.DQ, args.DK, args.DV = c.In[len(c.In)-1].F, dq, dk, dv
				a.Backward(args)
			})
			return append(append(G.Nodes{nil}, grads...), nil)[:len(in)], err
		},
	}, append([]*G.Node{all}, in...)...)
}

// attentionGrads are the gradients of the three operands, made by one operation
// behind each other.
func attentionGrads(q, k, v Heads, in G.Nodes, flops float64, run func(c *Call, dq, dk, dv []float32)) (G.Nodes, error) {
	nq, nk, nv := q.X.Shape().TotalSize(), k.X.Shape().TotalSize(), v.X.Shape().TotalSize()
	all, err := apply(Op{
		Name: "AttentionGrads", Shape: tensor.Shape{nq + nk + nv}, Dtype: tensor.Float32, Flops: flops,
		Run: func(c *Call) error {
			run(c, c.Out.F[:nq], c.Out.F[nq:nq+nk], c.Out.F[nq+nk:])
			return nil
		},
	}, in...)
	if err != nil {
		return nil, err
	}
	dq, err := apply(Op{Name: "AttentionQueryGrad", Shape: q.X.Shape(), Dtype: tensor.Float32, Alias: true}, all)
	grads := G.Nodes{dq}
	for _, part := range []struct {
		name    string
		x       *G.Node
		from, n int
	}{{"AttentionKeyGrad", k.X, nq, nk}, {"AttentionValueGrad", v.X, nq + nk, nv}} {
		if err != nil {
			return nil, err
		}
		var d *G.Node
		if d, err = stretch(part.name, all, part.from, part.n); err == nil {
			d, err = Reshape(d, part.x.Shape()...)
		}
		grads = append(grads, d)
	}
	return grads, err
}

// newAttention checks the operands.
func newAttention(q, k, v Heads, mask *G.Node, scale float32) (*kernel.Attention, error) {
	rank := q.X.Dims()
	for _, h := range []Heads{q, k, v} {
		if err := needFloat("Attention", h.X); err != nil {
			return nil, err
		}
		if err := checkHeads(h, rank); err != nil {
			return nil, err
		}
	}
	qs, ks, vs := q.shape(), k.shape(), v.shape()
	if rank < 2 || !slices.Equal(qs[:rank-2], ks[:rank-2]) || !slices.Equal(ks[:rank-1], vs[:rank-1]) || qs[rank-1] != ks[rank-1] {
		return nil, fmt.Errorf("shapes %v, %v and %v do not go together", qs, ks, vs)
	}
	a := &kernel.Attention{
		Rows: qs[rank-2], Cols: ks[rank-2], Size: qs[rank-1], ValueSize: vs[rank-1], Scale: scale,
		Q: heads(qs, q.Perm), K: heads(ks, k.Perm), V: heads(vs, v.Perm),
	}
	if qs.TotalSize() == 0 || ks.TotalSize() == 0 || vs.TotalSize() == 0 {
		return nil, fmt.Errorf("nothing to compute for shapes %v, %v and %v", qs, ks, vs)
	}
	if mask == nil {
		return a, nil
	}
	if err := needFloat("Attention", mask); err != nil {
		return nil, err
	}
	scores := append(slices.Clone(qs[:rank-1]), a.Cols)
	ms := mask.Shape()
	if out, err := broadcast(scores, ms); err != nil || !slices.Equal(out, scores) || len(ms) == 0 || ms[len(ms)-1] != a.Cols {
		return nil, fmt.Errorf("a mask of shape %v for scores of shape %v", ms, scores)
	}
	strides := make([]int, rank) // 0 where it repeats
	for i, stride := range kernel.Strides(ms) {
		if ms[i] > 1 {
			strides[rank-len(ms)+i] = stride
		}
	}
	a.Mask = headsAt(scores, strides)
	return a, nil
}

// checkHeads reports a permutation that is none of rank axes, or moves the last.
func checkHeads(h Heads, rank int) error {
	if h.X.Dims() != rank {
		return fmt.Errorf("an operand of shape %v beside one of %d axes", h.X.Shape(), rank)
	}
	if h.Perm == nil {
		return nil
	}
	if len(h.Perm) != rank || rank == 0 || h.Perm[rank-1] != rank-1 {
		return fmt.Errorf("permutation %v of %d axes", h.Perm, rank)
	}
	for k, axis := range h.Perm {
		if axis < 0 || axis >= rank || slices.Contains(h.Perm[:k], axis) {
			return fmt.Errorf("permutation %v of %d axes", h.Perm, rank)
		}
	}
	return nil
}
