package engine

import (
	"math"
	"testing"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestFirstNonFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	inverse := func(x *G.Node) *G.Node {
		return each("Inverse", func(v []float32) float32 { return 1 / v[0] }, nil, x)
	}
	root := func(x *G.Node) *G.Node {
		return each("Root", func(v []float32) float32 { return float32(math.Sqrt(float64(v[0]))) }, nil, x)
	}
	for _, c := range []struct {
		name  string
		x     []float32
		build func(x *G.Node) (out, want *G.Node)
	}{
		{"all finite", []float32{1, 2}, func(x *G.Node) (out, want *G.Node) { return inverse(root(x)), nil }},
		{"NaN made", []float32{1, -2}, func(x *G.Node) (out, want *G.Node) { y := root(x); return inverse(y), y }},
		{"infinity made, hidden later", []float32{1, 0}, func(x *G.Node) (out, want *G.Node) {
			y := inverse(x)
			return inverse(y), y
		}},
		{"NaN given", []float32{1, nan}, func(x *G.Node) (out, want *G.Node) { return root(x), x }},
		{"infinity given", []float32{1, inf}, func(x *G.Node) (out, want *G.Node) { return root(x), x }},
		{"infinity given, hidden later", []float32{1, inf}, func(x *G.Node) (out, want *G.Node) { return inverse(x), nil }},
	} {
		x := op.Input(G.NewGraph(), "x", tensor.Float32, 2)
		out, want := c.build(x)
		m := compile(t, map[*G.Node]op.Buffer{x: {F: c.x}}, out)
		got, err := m.FirstNonFinite(t.Context())
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, want)
		}
	}
}
