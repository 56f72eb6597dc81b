package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestFlops counts the operations of products and convolutions by hand, and
// finds as many again in each of the two gradients.
func TestFlops(t *testing.T) {
	g := G.NewGraph()
	input := func(name string, shape ...int) *G.Node { return Input(g, name, tensor.Float32, shape...) }
	cases := []struct {
		name  string
		build func() (*G.Node, error)
		want  float64
	}{
		{"MatMul", func() (*G.Node, error) { return MatMul(input("a", 6, 2, 3), input("b", 3, 5), false, false) }, 2 * 6 * 2 * 3 * 5},
		{"Gemm", func() (*G.Node, error) {
			return Gemm(input("c", 2, 3), input("d", 5, 3), input("e", 5), false, true, 1, 1)
		}, 2 * 2 * 3 * 5},
		{"Conv", func() (*G.Node, error) {
			return Conv(input("x", 2, 4, 9, 9), input("w", 6, 2, 3, 3), nil, ConvSpec{Groups: 2})
		}, 2 * 2 * 6 * 7 * 7 * 2 * 3 * 3},
	}
	for _, c := range cases {
		n, err := c.build()
		if err != nil {
			t.Fatal(err)
		}
		o := n.Op().(*Op)
		if o.Flops != c.want {
			t.Errorf("%s: got %v, want %v", c.name, o.Flops, c.want)
		}
		it := g.From(n.ID())
		var in G.Nodes
		for it.Next() {
			in = append(in, it.Node().(*G.Node))
		}
		grads, err := o.Grad(in, n, input("g"+c.name, n.Shape()...))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range grads[:2] {
			if got := d.Op().(*Op).Flops; got != c.want {
				t.Errorf("%s: got %v in a gradient, want %v", c.name, got, c.want)
			}
		}
	}
}
