package onnxload

import (
	"math"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// bias is what is added to the scores: minus infinity where nothing is kept. It
// is nil where all is kept.
func (a *attention) bias() (*G.Node, error) {
	var total *G.Node
	add := func(n *G.Node, err error) error {
		if err != nil || n == nil {
			return err
		}
		if total == nil {
			total = n
			return nil
		}
		total, err = op.Add(total, n)
		return err
	}
	if err := add(a.mask()); err != nil {
		return nil, err
	}
	if a.Attrs.Int("is_causal", 0) != 0 {
		if err := add(a.causal()); err != nil {
			return nil, err
		}
	}
	return total, add(a.padding())
}

// mask is input attn_mask as a bias, as long as K.
func (a *attention) mask() (*G.Node, error) {
	if !a.has(attentionMask) {
		return nil, nil
	}
	m, err := a.node(attentionMask), error(nil)
	if a.in[attentionMask].dtype == Bool {
		if m, err = a.kept(m); err != nil {
			return nil, err
		}
	}
	rank := m.Dims()
	if rank == 0 {
		return m, nil
	}
	if more := a.k.Shape()[2] - m.Shape()[rank-1]; more > 0 && m.Shape()[rank-1] > 1 {
		ends := make([]int, rank)
		ends[rank-1] = more
		m, err = op.Pad(m, make([]int, rank), ends, a.constant(nil, float32(math.Inf(-1))))
	}
	return m, err
}

// kept is 0 where a condition is true and minus infinity elsewhere.
func (a *attention) kept(condition *G.Node) (*G.Node, error) {
	return op.Where(condition, a.constant(nil, 0), a.constant(nil, float32(math.Inf(-1))))
}

// causal keeps no position of K behind that of Q. The first of Q stands behind
// the past, or where the lengths say that the last of Q is the last of K.
func (a *attention) causal() (*G.Node, error) {
	rows, cols := a.q.Shape()[2], a.k.Shape()[2]
	if !a.has(attentionLengths) {
		mask := make([]float32, rows*cols)
		for i := range rows {
			for j := i + a.pastLength + 1; j < cols; j++ {
				mask[i*cols+j] = float32(math.Inf(-1))
			}
		}
		return a.constant([]int{rows, cols}, mask...), nil
	}
	first, err := op.Sub(a.node(attentionLengths), a.constantInts(nil, []int64{int64(rows)}))
	if err == nil {
		first, err = op.Reshape(first, first.Shape().TotalSize(), 1, 1, 1)
	}
	if err == nil {
		first, err = op.Add(first, a.counts(rows, 4, 2))
	}
	if err == nil {
		first, err = op.LessOrEqual(a.counts(cols, 4, 3), first)
	}
	if err != nil {
		return nil, err
	}
	return a.kept(first)
}

// padding keeps the positions of K before the end of each example.
func (a *attention) padding() (*G.Node, error) {
	if !a.has(attentionLengths) {
		return nil, nil
	}
	n, err := op.Reshape(a.node(attentionLengths), a.in[attentionLengths].size(), 1, 1, 1)
	if err == nil {
		n, err = op.Less(a.counts(a.k.Shape()[2], 4, 3), n)
	}
	if err != nil {
		return nil, err
	}
	return a.kept(n)
}
