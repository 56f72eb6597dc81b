package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

// attended is Attention whose operands have their axes 1 and 2 exchanged, and so
// has the result. Without a mask it has three inputs.
func attended(in []*G.Node) (*G.Node, error) {
	heads := func(x *G.Node) Heads { return Heads{x, []int{0, 2, 1, 3}} }
	var mask *G.Node
	if len(in) > 3 {
		mask = in[3]
	}
	return Attention(heads(in[0]), heads(in[1]), heads(in[2]), mask, 0.5, []int{0, 2, 1, 3})
}

// spelled is the same in single steps.
func spelled(in []*G.Node) (*G.Node, error) {
	q, err := Transpose(in[0], []int{0, 2, 1, 3})
	if err != nil {
		return nil, err
	}
	k, err := Transpose(in[1], []int{0, 2, 3, 1})
	if err != nil {
		return nil, err
	}
	v, err := Transpose(in[2], []int{0, 2, 1, 3})
	if err != nil {
		return nil, err
	}
	s, err := MatMul(q, k, false, false)
	if err == nil {
		s, err = scale(s, 0.5)
	}
	if err == nil && len(in) > 3 {
		s, err = Add(s, in[3])
	}
	if err == nil {
		s, err = Softmax(s, -1)
	}
	if err == nil {
		s, err = MatMul(s, v, false, false)
	}
	if err == nil {
		s, err = Transpose(s, []int{0, 2, 1, 3})
	}
	return s, err
}

func TestAttention(t *testing.T) {
	q, k, v := noise(1, 2, 3, 2, 4), noise(2, 2, 5, 2, 4), noise(3, 2, 5, 2, 6)
	for _, in := range [][]leaf{
		{q, k, v},
		{q, k, v, noise(4, 3, 5)},
		{q, k, v, noise(4, 2, 1, 1, 5)},
		{q, k, v, noise(4, 2, 3, 5)},
		{q, k, v, noise(4, 5)},
	} {
		want, shape := forward(t, spelled, in...)
		got, gotShape := forward(t, attended, in...)
		wantShape(t, gotShape, shape...)
		wantFloats(t, got, want.F, 1e-6)
	}
	natural := func(in []*G.Node) (*G.Node, error) {
		return Attention(Heads{X: in[0]}, Heads{X: in[0]}, Heads{X: in[0]}, nil, 1, nil)
	}
	_, shape := forward(t, natural, noise(1, 7, 3))
	wantShape(t, shape, 7, 3)
	checkGrad(t, natural, noise(1, 7, 3))
	checkGrad(t, attended, q, k, v)
}

func TestAttentionErrors(t *testing.T) {
	heads := func(perm ...int) builder {
		return func(in []*G.Node) (*G.Node, error) {
			return Attention(Heads{in[0], perm}, Heads{X: in[1]}, Heads{X: in[2]}, nil, 1, nil)
		}
	}
	masked := func(in []*G.Node) (*G.Node, error) {
		return Attention(Heads{X: in[0]}, Heads{X: in[1]}, Heads{X: in[2]}, in[3], 1, nil)
	}
	wantErrors(t, []struct {
		words  string
		build  builder
		inputs []leaf
	}{
		{"Attention|(2, 3)|(4, 5)", heads(), []leaf{counted(2, 3), counted(4, 5), counted(4, 3)}},
		{"Attention|permutation [1 0]", heads(1, 0), []leaf{counted(2, 3), counted(4, 3), counted(4, 3)}},
		{"Attention|2 axes", heads(), []leaf{counted(2, 3), counted(1, 4, 3), counted(4, 3)}},
		{"Attention|mask|(2, 1)", masked, []leaf{counted(2, 3), counted(4, 3), counted(4, 3), counted(2, 1)}},
		{"Attention|int64", heads(), []leaf{intLeaf([]int{1, 1}, 1), counted(1, 1), counted(1, 1)}},
	})
}
