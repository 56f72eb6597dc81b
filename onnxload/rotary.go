package onnxload

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// RotaryEmbedding: pairs of elements of each head turned by an angle that grows
// with the position: (a·cos − b·sin, a·sin + b·cos) (Su et al., RoFormer, 2021). A
// pair is one element of either half, or with interleaved two neighbours. The
// first rotary_embedding_dim elements turn, by default all. Cosines and sines come
// from tables, by position_ids or one for each place. The input is (batch, heads,
// length, size), or (batch, length, heads·size) with num_heads.
// https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html, opset 23.
func lowerRotaryEmbedding(c *call) ([]*value, error) {
	x, heads := c.node(0), c.Attrs.Int("num_heads", 0)
	shape := c.shape(0)
	flat := len(shape) == 3
	var err error
	switch {
	case flat && (heads < 1 || shape[2]%heads != 0):
		return nil, fmt.Errorf("num_heads is %d for input %v", heads, shape)
	case flat:
		if x, err = op.Reshape(x, shape[0], shape[1], heads, shape[2]/heads); err != nil {
			return nil, err
		}
	case len(shape) == 4:
		if x, err = op.Transpose(x, []int{0, 2, 1, 3}); err != nil { // (batch, length, heads, size)
			return nil, err
		}
	default:
		return nil, fmt.Errorf("input has shape %v, want rank 4 or 3", shape)
	}
	size := x.Shape()[3]
	turn := c.Attrs.Int("rotary_embedding_dim", 0)
	if turn == 0 {
		turn = size
	}
	if turn < 0 || turn > size || turn%2 != 0 {
		return nil, fmt.Errorf("rotary_embedding_dim is %d for heads of %d elements", turn, size)
	}
	cos, err := c.angles(1, turn/2)
	if err != nil {
		return nil, err
	}
	sin, err := c.angles(2, turn/2)
	if err != nil {
		return nil, err
	}
	y, err := c.rotated(x, cos, sin, turn)
	if err != nil {
		return nil, err
	}
	if flat {
		return c.result(op.Reshape(y, shape...))
	}
	return c.result(op.Transpose(y, []int{0, 2, 1, 3}))
}

// angles is a table of input i, looked up, as (batch, length, 1, half).
func (c *call) angles(i, half int) (*G.Node, error) {
	n := c.node(i)
	var err error
	if c.has(3) {
		if n, err = op.Gather(n, c.node(3), 0); err != nil {
			return nil, err
		}
	}
	s := n.Shape()
	if len(s) != 3 || s[2] < half {
		return nil, fmt.Errorf("input %d gives %v, want (batch, length, %d)", i, s, half)
	}
	if n, err = op.Slice(n, []int{0, 0, 0}, []int{s[0], s[1], half}, nil); err != nil {
		return nil, err
	}
	return op.Reshape(n, s[0], s[1], 1, half)
}

// rotated turns the first elements of the last axis.
func (c *call) rotated(x, cos, sin *G.Node, turn int) (*G.Node, error) {
	s := x.Shape()
	part := func(from, to, step int) (*G.Node, error) {
		return op.Slice(x, []int{0, 0, 0, from}, []int{s[0], s[1], s[2], to}, []int{1, 1, 1, step})
	}
	ranges := [2][3]int{{0, turn / 2, 1}, {turn / 2, turn, 1}}
	interleaved := c.Attrs.Int("interleaved", 0) != 0
	if interleaved {
		ranges = [2][3]int{{0, turn, 2}, {1, turn, 2}}
	}
	a, err := part(ranges[0][0], ranges[0][1], ranges[0][2])
	if err != nil {
		return nil, err
	}
	b, err := part(ranges[1][0], ranges[1][1], ranges[1][2])
	if err != nil {
		return nil, err
	}
	first, err := c.combined(op.Sub, a, cos, b, sin)
	if err != nil {
		return nil, err
	}
	second, err := c.combined(op.Add, a, sin, b, cos)
	if err != nil {
		return nil, err
	}
	y, err := c.paired(first, second, interleaved)
	if err != nil || turn == s[3] {
		return y, err
	}
	rest, err := part(turn, s[3], 1)
	if err != nil {
		return nil, err
	}
	return op.Concat(3, y, rest)
}

// combined is f(a·p, b·q).
func (c *call) combined(f func(a, b *G.Node) (*G.Node, error), a, p, b, q *G.Node) (*G.Node, error) {
	a, err := op.Mul(a, p)
	if err != nil {
		return nil, err
	}
	if b, err = op.Mul(b, q); err != nil {
		return nil, err
	}
	return f(a, b)
}

// paired puts two arrays end to end, or their elements in turn, along the last
// axis.
func (c *call) paired(a, b *G.Node, inTurn bool) (*G.Node, error) {
	s := a.Shape()
	last := len(s) - 1
	if !inTurn {
		return op.Concat(last, a, b)
	}
	apart := append(append([]int{}, s...), 1)
	joined := append([]int{}, s...)
	joined[last] *= 2
	a, err := op.Reshape(a, apart...)
	if err == nil {
		b, err = op.Reshape(b, apart...)
	}
	if err != nil {
		return nil, err
	}
	y, err := op.Concat(last+1, a, b)
	if err != nil {
		return nil, err
	}
	return op.Reshape(y, joined...)
}

// SwiGLU: A/(1 + e^(−α·A))·B (Shazeer, GLU Variants Improve Transformer, 2020).
// https://onnx.ai/onnx/operators/onnx__SwiGLU.html, opset 28.
func lowerSwiGLU(c *call) ([]*value, error) {
	gate, err := op.Map(op.Swish(c.number("alpha", 1)), c.node(0))
	if err != nil {
		return nil, err
	}
	return c.result(op.Mul(gate, c.node(1)))
}
