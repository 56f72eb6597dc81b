package op

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
)

// TestPruned holds results and gradients of operations that are told which
// weights are zero to those of operations that are not.
func TestPruned(t *testing.T) {
	cases := []struct {
		name   string
		build  builder
		inputs []leaf // the second are the weights
	}{
		{"Gemm", func(in []*G.Node) (*G.Node, error) { return Gemm(in[0], in[1], in[2], false, true, 1, 1) }, []leaf{noise(1, 40, 70), noise(2, 30, 70), noise(3, 30)}},
		{"Gemm, scaled", func(in []*G.Node) (*G.Node, error) { return Gemm(in[0], in[1], nil, false, true, 0.5, 1) }, []leaf{noise(1, 40, 70), noise(2, 30, 70)}},
		{"Gemm, other way", func(in []*G.Node) (*G.Node, error) { return Gemm(in[0], in[1], nil, true, false, 1, 1) }, []leaf{noise(1, 70, 40), noise(2, 70, 30)}},
		{"MatMul", matMul(false, false), []leaf{noise(1, 40, 70), noise(2, 70, 30)}},
		{"Conv", func(in []*G.Node) (*G.Node, error) {
			return Conv(in[0], in[1], in[2], ConvSpec{Pads: []int{1, 1, 1, 1}})
		}, []leaf{noise(1, 2, 6, 9, 9), noise(2, 8, 6, 3, 3), noise(3, 8)}},
		{"Conv, each channel", func(in []*G.Node) (*G.Node, error) { return Conv(in[0], in[1], nil, ConvSpec{Groups: 6}) }, []leaf{noise(1, 2, 6, 9, 9), noise(2, 6, 1, 3, 3)}},
		{"MatMul of a batch", matMul(false, false), []leaf{noise(1, 3, 20, 40), noise(2, 40, 30)}},
	}
	for _, c := range cases {
		random := rand.New(rand.NewPCG(5, 6))
		for _, share := range []float64{0, 0.1, 0.9} {
			weights := c.inputs[1].data.F
			keep := make([]bool, len(weights))
			for i := range keep {
				if keep[i] = random.Float64() < share; !keep[i] {
					weights[i] = 0
				}
			}
			var pruned Pruned
			pruned.Set(keep)
			run := func(known bool) (y Buffer, grads []Buffer) {
				in, out, values := graphOf(t, c.build, c.inputs)
				seed := Input(out.Graph(), "seed", out.Dtype(), out.Shape()...)
				values[seed] = noise(9, out.Shape()...).data
				nodes := backprop(t, in, out, seed)
				if known {
					values[in[1]] = Buffer{F: weights, Pruned: &pruned}
					for _, v := range children(nodes[1]) { // the gradient is bound
						if _, err := evaluate(v, values); err != nil {
							t.Fatal(err)
						}
					}
					runBound(t, nodes[1], values, &pruned)
				}
				y, err := evaluate(out, values)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range nodes {
					g, err := evaluate(n, values)
					if err != nil {
						t.Fatal(err)
					}
					grads = append(grads, g)
				}
				return y, grads
			}
			wantY, want := run(false)
			gotY, got := run(true)
			pruned.Clear(want[1].F)
			for i := range want {
				near(t, c.name, got[i].F, want[i].F)
			}
			near(t, c.name, gotY.F, wantY.F)
			if z := slices.Index(keep, false); got[1].F[z] != 0 {
				t.Errorf("%s: got a gradient of %v for a weight that is pruned", c.name, got[1].F[z])
			}
		}
	}
}

// runBound computes n into a buffer that says what of it is zero.
func runBound(t *testing.T, n *G.Node, values map[*G.Node]Buffer, pruned *Pruned) {
	t.Helper()
	o := n.Op().(*Op)
	c := Call{Out: NewBuffer(o.Dtype, o.Shape.TotalSize()), Scratch: make([]float32, o.Scratch)}
	c.Out.Pruned = pruned
	for i := range c.Out.F {
		c.Out.F[i] = float32(math.NaN())
	}
	for _, child := range children(n) {
		c.In = append(c.In, values[child])
	}
	if err := o.Run(&c); err != nil {
		t.Fatal(err)
	}
	values[n] = c.Out
}

func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if d := math.Abs(float64(got[i] - w)); !(d <= 1e-4) {
			t.Fatalf("%s: element %d: got %v, want %v", what, i, got[i], w)
		}
	}
}
