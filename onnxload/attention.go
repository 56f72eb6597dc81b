package onnxload

import (
	"errors"
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Attention: softmax(s·Q·Kᵀ + mask)·V per head (Vaswani et al., Attention Is All
// You Need, 2017), s by default 1/√(size of a head). Q, K and V are (batch, heads,
// length, size), or (batch, length, heads·size) with attributes q_num_heads and
// kv_num_heads; several heads of Q may share one of K and V. softcap c makes
// scores c·tanh(score/c). The mask is added, or is bool and keeps what is true;
// is_causal keeps position j ≤ i + past; nonpad_kv_seqlen keeps the first
// positions of each example. A row that keeps nothing gives zeros. past_key and
// past_value go before K and V, which are outputs as well.
// https://onnx.ai/onnx/operators/onnx__Attention.html, opsets 23 to 24.
func lowerAttention(c *call) ([]*value, error) {
	a := &attention{call: c}
	if err := a.heads(); err != nil {
		return nil, err
	}
	if err := a.past(); err != nil {
		return nil, err
	}
	if a.plain() {
		return a.whole()
	}
	scores, err := a.scores()
	if err != nil {
		return nil, err
	}
	bias, err := a.bias()
	if err != nil {
		return nil, err
	}
	return a.results(scores, bias)
}

// The inputs of an Attention.
const (
	attentionQ = iota
	attentionK
	attentionV
	attentionMask
	attentionPastK
	attentionPastV
	attentionLengths
)

// attention is an Attention that is being lowered.
type attention struct {
	*call
	flat       bool        // inputs have rank 3
	q, k, v    *G.Node     // (batch, heads, length, size)
	views      [3]op.Heads // the same, without a copy
	group      int         // heads of Q that share one of K and V
	pastLength int
	stages     [4]*G.Node // the scores at the points that attribute qk_matmul_output_mode numbers
}

// heads brings the inputs to rank 4.
func (a *attention) heads() error {
	a.flat = a.rank(attentionQ) == 3
	qHeads, kvHeads := a.Attrs.Int("q_num_heads", 0), a.Attrs.Int("kv_num_heads", 0)
	for i, x := range []**G.Node{&a.q, &a.k, &a.v} {
		shape := a.shape(i)
		if a.flat {
			heads := kvHeads
			if i == attentionQ {
				heads = qHeads
			}
			if len(shape) != 3 || heads < 1 || shape[2]%heads != 0 {
				return fmt.Errorf("input %d has shape %v for %d heads", i, shape, heads)
			}
			n, err := op.Reshape(a.node(i), shape[0], shape[1], heads, shape[2]/heads)
			if err != nil {
				return err
			}
			a.views[i] = op.Heads{X: n, Perm: []int{0, 2, 1, 3}}
			if *x, err = op.Transpose(n, a.views[i].Perm); err != nil {
				return err
			}
			continue
		}
		if len(shape) != 4 {
			return fmt.Errorf("input %d has shape %v, want rank 4 or 3", i, shape)
		}
		*x = a.node(i)
		a.views[i] = op.Heads{X: *x}
	}
	of, among := a.q.Shape()[1], a.k.Shape()[1]
	if among == 0 || of%among != 0 || a.v.Shape()[1] != among {
		return fmt.Errorf("%d heads of Q, %d of K and %d of V", of, among, a.v.Shape()[1])
	}
	a.group = of / among
	return nil
}

// past puts what was seen before in front of K and V.
func (a *attention) past() error {
	if a.has(attentionPastK) != a.has(attentionPastV) {
		return errors.New("one of past_key and past_value is missing")
	}
	if !a.has(attentionPastK) {
		return nil
	}
	if a.rank(attentionPastK) != 4 {
		return fmt.Errorf("past_key has shape %v, want rank 4", a.shape(attentionPastK))
	}
	a.pastLength = a.shape(attentionPastK)[2]
	var err error
	if a.k, err = op.Concat(2, a.node(attentionPastK), a.k); err != nil {
		return err
	}
	a.v, err = op.Concat(2, a.node(attentionPastV), a.v)
	a.views[attentionK], a.views[attentionV] = op.Heads{X: a.k}, op.Heads{X: a.v}
	return err
}

// plain tells whether no step between the products is wanted that op.Attention
// does not know.
func (a *attention) plain() bool {
	return a.group == 1 && a.Attrs.Float("softcap", 0) == 0 && !a.wants(3) &&
		!a.has(attentionMask) && !a.has(attentionLengths) &&
		a.q.Shape().TotalSize() > 0 && a.k.Shape().TotalSize() > 0 && a.v.Shape().TotalSize() > 0
}

// whole computes the attention as one.
func (a *attention) whole() ([]*value, error) {
	var mask *G.Node
	if a.Attrs.Int("is_causal", 0) != 0 {
		var err error
		if mask, err = a.causal(); err != nil {
			return nil, err
		}
	}
	var perm []int
	if a.flat {
		perm = []int{0, 2, 1, 3}
	}
	y, err := op.Attention(a.views[attentionQ], a.views[attentionK], a.views[attentionV], mask, float32(a.scale()), perm)
	if err != nil {
		return nil, err
	}
	if a.flat {
		s := y.Shape()
		if y, err = op.Reshape(y, s[0], s[1], s[2]*s[3]); err != nil {
			return nil, err
		}
	}
	return []*value{a.value(a.in[0].dtype, y), a.value(a.in[attentionK].dtype, a.k), a.value(a.in[attentionV].dtype, a.v)}, nil
}

// scale is what the scores are multiplied by.
func (a *attention) scale() float64 {
	if scale := a.number("scale", 0); scale != 0 {
		return scale
	}
	return 1 / math.Sqrt(float64(a.q.Shape()[3]))
}

// grouped gives Q, or scores, an axis for the heads that share one of K, or K and
// V one of length 1 to go with it.
func (a *attention) grouped(x *G.Node, perKey bool) (*G.Node, error) {
	s := x.Shape()
	if a.group == 1 {
		return x, nil
	}
	if perKey {
		return op.Reshape(x, s[0], s[1], 1, s[2], s[3])
	}
	return op.Reshape(x, s[0], s[1]/a.group, a.group, s[2], s[3])
}

// scores is Q·Kᵀ, scaled and capped.
func (a *attention) scores() (*G.Node, error) {
	q, err := op.Mul(a.q, a.constant(nil, float32(a.scale())))
	if err != nil {
		return nil, err
	}
	if q, err = a.grouped(q, false); err != nil {
		return nil, err
	}
	k, err := a.grouped(a.k, true)
	if err != nil {
		return nil, err
	}
	s, err := op.MatMul(q, k, false, true)
	if err != nil {
		return nil, err
	}
	qs := a.q.Shape()
	if s, err = op.Reshape(s, qs[0], qs[1], qs[2], a.k.Shape()[2]); err != nil {
		return nil, err
	}
	a.stages[0] = s
	if limit := a.Attrs.Float("softcap", 0); limit != 0 {
		if s, err = op.Div(s, a.constant(nil, limit)); err == nil {
			s, err = op.Tanh(s)
		}
		if err == nil {
			s, err = op.Mul(s, a.constant(nil, limit))
		}
	}
	a.stages[1] = s
	return s, err
}

// results turns scores into shares and takes the mean of V by them.
func (a *attention) results(s, bias *G.Node) ([]*value, error) {
	a.stages[2] = s
	var empty *G.Node // rows that keep nothing
	var err error
	if bias != nil {
		if a.stages[2], err = op.Add(s, bias); err != nil {
			return nil, err
		}
		if s, empty, err = a.masked(s, bias); err != nil {
			return nil, err
		}
	}
	if s, err = op.Softmax(s, -1); err != nil {
		return nil, err
	}
	if empty != nil {
		if s, err = op.Where(empty, a.constant(nil, 0), s); err != nil {
			return nil, err
		}
	}
	a.stages[3] = s
	y, err := a.mean(s)
	if err != nil {
		return nil, err
	}
	mode := a.Attrs.Int("qk_matmul_output_mode", 0)
	if mode < 0 || mode > 3 {
		return nil, fmt.Errorf("qk_matmul_output_mode is %d, want 0 to 3", mode)
	}
	dt := a.in[0].dtype
	return []*value{a.value(dt, y), a.value(a.in[attentionK].dtype, a.k), a.value(a.in[attentionV].dtype, a.v), a.value(dt, a.stages[mode])}, nil
}

// masked adds the bias, but nothing to rows that keep nothing: their softmax
// would be no number. It says which rows those are.
func (a *attention) masked(s, bias *G.Node) (sum, empty *G.Node, err error) {
	rank := bias.Dims()
	if rank > 0 {
		most, err := op.ReduceMax(bias, []int{rank - 1}, true)
		if err != nil {
			return nil, nil, err
		}
		if empty, err = op.IsInf(most, true, false); err != nil {
			return nil, nil, err
		}
		if bias, err = op.Where(empty, a.constant(nil, 0), bias); err != nil {
			return nil, nil, err
		}
	}
	sum, err = op.Add(s, bias)
	return sum, empty, err
}

// mean is the product of shares and V, in the layout of the inputs.
func (a *attention) mean(s *G.Node) (*G.Node, error) {
	shape := slices.Clone(s.Shape())
	v, err := a.grouped(a.v, true)
	if err == nil {
		s, err = a.grouped(s, false)
	}
	if err != nil {
		return nil, err
	}
	y, err := op.MatMul(s, v, false, false)
	if err != nil {
		return nil, err
	}
	size := a.v.Shape()[3]
	if y, err = op.Reshape(y, shape[0], shape[1], shape[2], size); err != nil || !a.flat {
		return y, err
	}
	if y, err = op.Transpose(y, []int{0, 2, 1, 3}); err != nil {
		return nil, err
	}
	return op.Reshape(y, shape[0], shape[2], shape[1]*size)
}
