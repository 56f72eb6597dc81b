package engine

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestBackpropMatchesDifferences(t *testing.T) {
	n := newNet(t)
	bind := n.bind()
	grads := backprop(t, n.y, n.w1, n.w2, n.x)
	m := compile(t, bind, append(grads, n.y)...)
	run(t, m)
	for i, leaf := range []*G.Node{n.w1, n.w2, n.x} {
		got := slices.Clone(m.Buffer(grads[i]).F)
		w := bind[leaf].F
		for k := range w {
			const eps = 1.0 / 512
			old := w[k]
			w[k] = old + eps
			run(t, m)
			want := float64(m.Buffer(n.y).F[0])
			w[k] = old - eps
			run(t, m)
			want = (want - float64(m.Buffer(n.y).F[0])) / (2 * eps)
			w[k] = old
			if math.Abs(float64(got[k])-want) > 1e-2*(1+math.Abs(want)) {
				t.Errorf("%s[%d]: got %v, want %v", leaf.Name(), k, got[k], want)
			}
		}
	}
}

func TestBackpropUnreachable(t *testing.T) {
	n := newNet(t)
	loose := op.Input(n.g, "loose", tensor.Float32, 2)
	later := total(loose)
	grads := backprop(t, n.y, loose, n.w1, later)
	if grads[0] != nil || grads[2] != nil {
		t.Errorf("got gradients %v and %v for nodes the cost does not depend on, want nil", grads[0], grads[2])
	}
	if grads[1] == nil {
		t.Error("got no gradient for w1")
	}
	for i, g := range backprop(t, later, n.w1, n.w2) {
		if g != nil {
			t.Errorf("gradient %d: got %v, want nil", i, g)
		}
	}
}

// A frozen weight has no gradient operation in the plan, nor does the input.
func TestBackpropFrozen(t *testing.T) {
	n := newNet(t)
	grads := backprop(t, n.y, n.w2)
	m := compile(t, n.bind(), grads...)
	count := map[string]int{}
	for _, s := range m.steps {
		count[s.op.Name]++
	}
	if got, want := count["DenseGradW"], 2; got != want {
		t.Errorf("got %d gradients of weights, want %d", got, want)
	}
	if got, want := count["DenseGradX"], 1; got != want {
		t.Errorf("got %d gradients of inputs, want %d", got, want)
	}
}

// Twice on one graph: gorgonia.Grad gives wrong numbers here.
func TestBackpropTwice(t *testing.T) {
	n := newNet(t)
	first := backprop(t, n.y, n.w1)
	second := backprop(t, total(mul(n.w1, n.w1)), n.w1)
	m := compile(t, n.bind(), first[0], second[0])
	run(t, m)
	w := n.bind()[n.w1].F
	for i, g := range m.Buffer(second[0]).F {
		if g != 2*w[i] {
			t.Fatalf("got gradient %v of w1²[%d], want %v", g, i, 2*w[i])
		}
	}
	alone := newNet(t)
	want := backprop(t, alone.y, alone.w1)
	ref := compile(t, alone.bind(), want...)
	run(t, ref)
	if got, want := m.Buffer(first[0]).F, ref.Buffer(want[0]).F; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Two parameters that are only added have one gradient; each still gets its own
// node and, if bound, its own storage.
func TestBackpropDistinct(t *testing.T) {
	g := G.NewGraph()
	a := op.Input(g, "a", tensor.Float32, 3)
	b := op.Input(g, "b", tensor.Float32, 3)
	s := op.Input(g, "s", tensor.Float32)
	grads := backprop(t, total(sum(a, b)), a, b)
	if grads[0] == grads[1] {
		t.Fatal("got one node for both gradients")
	}
	bind := map[*G.Node]op.Buffer{grads[0]: {F: make([]float32, 3)}, grads[1]: {F: make([]float32, 3)}}
	run(t, compile(t, bind, grads...))
	for i, n := range grads {
		if got, want := bind[n].F, []float32{1, 1, 1}; !slices.Equal(got, want) {
			t.Errorf("gradient %d: got %v, want %v", i, got, want)
		}
	}

	// The gradient of a cost with respect to itself is 1, and not the seed.
	self := backprop(t, s, s)
	one := op.Buffer{F: make([]float32, 1)}
	run(t, compile(t, map[*G.Node]op.Buffer{self[0]: one}, self...))
	if one.F[0] != 1 {
		t.Errorf("got %v, want 1", one.F[0])
	}
}

func TestBackpropErrors(t *testing.T) {
	g := G.NewGraph()
	x := op.Input(g, "x", tensor.Float32, 3)
	bad := func(name string, grads func(x, g *G.Node) (G.Nodes, error)) *G.Node {
		return total(each(name, func(v []float32) float32 { return v[0] },
			func(in G.Nodes, _, g *G.Node) (G.Nodes, error) { return grads(in[0], g) }, x))
	}
	for _, c := range []struct {
		cost *G.Node
		want string
	}{
		{x, "want a float32 scalar"},
		{bad("Count", func(_, g *G.Node) (G.Nodes, error) { return nil, nil }), "0 gradients for 1 inputs"},
		{bad("Missing", func(_, g *G.Node) (G.Nodes, error) { return G.Nodes{nil}, nil }), "no gradient for input 0"},
		{bad("Shape", func(_, g *G.Node) (G.Nodes, error) { return G.Nodes{total(g)}, nil }), "has shape (), want (3)"},
		{bad("Fails", func(_, g *G.Node) (G.Nodes, error) { return nil, errors.New("no idea") }), "no idea"},
	} {
		_, err := Backprop(c.cost, []*G.Node{x})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
	}
}
