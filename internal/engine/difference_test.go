package engine

import (
	"math"
	"testing"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Differences tells a right gradient from a wrong one, a missing one, and a kink.
func TestDifferences(t *testing.T) {
	times := func(factor float32) func(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
		return func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
			return G.Nodes{each("grad", func(v []float32) float32 { return factor * v[0] * v[1] }, nil, g, in[0])}, nil
		}
	}
	square := func(v []float32) float32 { return v[0] * v[0] }
	absolute := func(v []float32) float32 { return float32(math.Abs(float64(v[0]))) }
	for _, c := range []struct {
		what string
		f    func(v []float32) float32
		grad func(in G.Nodes, out, g *G.Node) (G.Nodes, error)
		x    []float32
		want Agreement // errors rounded
	}{
		{"right", square, times(2), []float32{1, -2, 3}, Agreement{Found: true, Flows: true, Checked: 3}},
		{"a fifth off", square, times(2.5), []float32{1, -2, 3}, Agreement{Found: true, Flows: true, Checked: 3, Error: 0.2, Beyond: 0.2}},
		{"missing", square, nil, []float32{1, -2, 3}, Agreement{Checked: 3, Error: 1, Beyond: 1}},
		{"a kink at zero", absolute, times(0), []float32{0, 0}, Agreement{Found: true, Kinks: 2}},
	} {
		g := G.NewGraph()
		x := op.Input(g, "x", tensor.Float32, len(c.x))
		y := each(c.what, c.f, c.grad, x)
		bind := map[*G.Node]op.Buffer{x: {F: c.x}}
		got, err := Differences(t.Context(), []*G.Node{y}, []*G.Node{x}, bind, 10, 1)
		if err != nil {
			t.Fatal(err)
		}
		a := got[0]
		a.Error, a.Beyond = math.Round(100*a.Error)/100, math.Round(100*a.Beyond)/100
		if a != c.want {
			t.Errorf("%s: got %+v, want %+v", c.what, a, c.want)
		}
		if len(bind) != 1 {
			t.Errorf("%s: got %d bound nodes, want 1 as before", c.what, len(bind))
		}
	}
}
