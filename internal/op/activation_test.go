package op

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestActivations(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x := []float32{-inf, -3, -0.5, 0, 0.5, 3, inf}
	for _, c := range []struct {
		name  string
		build func(x *G.Node) (*G.Node, error)
		want  []float32
	}{
		{"Relu", Relu, []float32{0, 0, 0, 0, 0.5, 3, inf}},
		{"LeakyRelu", func(x *G.Node) (*G.Node, error) { return LeakyRelu(x, 0.1) }, []float32{-inf, -0.3, -0.05, 0, 0.5, 3, inf}},
		{"LeakyRelu of a negative alpha", func(x *G.Node) (*G.Node, error) { return LeakyRelu(x, -2) }, []float32{inf, 6, 1, 0, 0.5, 3, inf}},
		{"Sigmoid", Sigmoid, []float32{0, 0.04742587, 0.37754067, 0.5, 0.62245933, 0.95257413, 1}},
		{"Tanh", Tanh, []float32{-1, -0.99505475, -0.46211716, 0, 0.46211716, 0.99505475, 1}},
		{"Clip", func(x *G.Node) (*G.Node, error) { return Clip(x, -1, 2) }, []float32{-1, -1, -0.5, 0, 0.5, 2, 2}},
		{"Clip of one side", func(x *G.Node) (*G.Node, error) { return Clip(x, -1, inf) }, []float32{-1, -1, -0.5, 0, 0.5, 3, inf}},
		{"Clip of crossed limits", func(x *G.Node) (*G.Node, error) { return Clip(x, 2, 1) }, []float32{1, 1, 1, 1, 1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := func(in []*G.Node) (*G.Node, error) { return c.build(in[0]) }
			y, _ := forward(t, build, floatLeaf([]int{7}, x...))
			wantFloats(t, y, c.want, 3e-7)
			y, _ = forward(t, build, floatLeaf([]int{2}, nan, -nan))
			if !math.IsNaN(float64(y.F[0])) || !math.IsNaN(float64(y.F[1])) {
				t.Errorf("of NaN: got %v, want NaN", y.F)
			}
			checkGrad(t, build, noise(1, 2, 9))
		})
	}
}

func TestActivationGradientAtKinks(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(x *G.Node) (*G.Node, error)
		x     float32
		want  float32
	}{
		{"Relu", Relu, 0, 0},
		{"LeakyRelu", func(x *G.Node) (*G.Node, error) { return LeakyRelu(x, 0.25) }, 0, 0.25},
		{"Clip at its low limit", func(x *G.Node) (*G.Node, error) { return Clip(x, 1, 2) }, 1, 0},
		{"Clip at its high limit", func(x *G.Node) (*G.Node, error) { return Clip(x, 1, 2) }, 2, 0},
		{"Saturate at its low limit", func(x *G.Node) (*G.Node, error) { return Map(Saturate(1, 2), x) }, 1, 1},
		{"Saturate at its high limit", func(x *G.Node) (*G.Node, error) { return Map(Saturate(1, 2), x) }, 2, 1},
		{"Saturate above it", func(x *G.Node) (*G.Node, error) { return Map(Saturate(1, 2), x) }, 2.5, 0},
	} {
		in, out, values := graphOf(t, func(in []*G.Node) (*G.Node, error) { return c.build(in[0]) },
			[]leaf{floatLeaf([]int{1}, c.x)})
		seed := Input(out.Graph(), "seed", out.Dtype(), 1)
		values[seed] = Buffer{F: []float32{1}}
		g, err := evaluate(backprop(t, in, out, seed)[0], values)
		if err != nil {
			t.Fatal(err)
		}
		if g.F[0] != c.want {
			t.Errorf("%s: got gradient %v, want %v", c.name, g.F[0], c.want)
		}
	}
}
