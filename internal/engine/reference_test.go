package engine

import (
	"math"
	"slices"
	"testing"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gorgonia.Grad and its TapeMachine are the reference where they work: the same
// operations in the same order must give the same bits.

// reference is a network of real operations: two convolutions over a hidden
// value with two readers, and a weight that is used twice.
type reference struct {
	params, outputs []*G.Node
	bind            map[*G.Node]op.Buffer
	cost            *G.Node
}

func newReference(t *testing.T) reference {
	t.Helper()
	must := func(n *G.Node, err error) *G.Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	g := G.NewGraph()
	r := reference{bind: map[*G.Node]op.Buffer{}}
	leaf := func(name string, shape ...int) *G.Node {
		n := op.Input(g, name, tensor.Float32, shape...)
		r.bind[n] = op.Buffer{F: random(size(shape), uint64(len(r.bind)))}
		return n
	}
	param := func(name string, shape ...int) *G.Node {
		n := leaf(name, shape...)
		r.params = append(r.params, n)
		return n
	}
	x := leaf("x", 3, 2, 6, 6)
	labels := op.Input(g, "labels", tensor.Int64, 3)
	r.bind[labels] = op.Buffer{I: []int64{0, 4, 2}}
	conv := func(x, w, b *G.Node) *G.Node {
		return must(op.Conv(x, w, b, op.ConvSpec{Kernel: []int{3, 3}, Strides: []int{1, 1}, Dilations: []int{1, 1}, Pads: []int{1, 1, 1, 1}, Groups: 1}))
	}
	w0, b0 := param("w0", 4, 2, 3, 3), param("b0", 4)
	w1, b1 := param("w1", 4, 4, 3, 3), param("b1", 4)
	h := must(op.Relu(conv(x, w0, b0)))
	h = must(op.Add(h, must(op.Tanh(conv(h, w1, b1)))))
	h = must(op.MaxPool(h, op.PoolSpec{Kernel: []int{2, 2}, Strides: []int{2, 2}, Dilations: []int{1, 1}, Pads: []int{0, 0, 0, 0}}))
	h = must(op.Reshape(h, 3, 36))
	h = must(op.MatMul(h, param("w2", 36, 8), false, false))
	w3 := param("w3", 8, 8)
	h = must(op.Sigmoid(must(op.MatMul(h, w3, false, false))))
	h = must(op.MatMul(h, w3, false, true))
	h = must(op.Gemm(h, param("w4", 5, 8), param("b4", 5), false, true, 1, 1))
	r.cost = must(op.CrossEntropy(h, labels))
	r.outputs = []*G.Node{r.cost, h}
	return r
}

func TestBackpropEqualsGorgonia(t *testing.T) {
	ref := newReference(t)
	want, err := G.Grad(ref.cost, ref.params...)
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, ref.outputs...)
	for leaf, b := range ref.bind {
		if err := G.Let(leaf, op.Value(b, leaf.Shape())); err != nil {
			t.Fatal(err)
		}
	}
	tape := G.NewTapeMachine(ref.cost.Graph())
	defer tape.Close()
	if err := tape.RunAll(); err != nil {
		t.Fatal(err)
	}

	ours := newReference(t)
	got := append(backprop(t, ours.cost, ours.params...), ours.outputs...)
	m := compile(t, ours.bind, got...)
	for range 2 {
		run(t, m)
		for i := range want {
			b, err := op.BufferOf(want[i].Value())
			if err != nil {
				t.Fatal(err)
			}
			g := m.Buffer(got[i]).F
			if !slices.Equal(g, b.F) {
				t.Errorf("%s: got %v, want %v", got[i].Name(), g, b.F)
			}
			if slices.ContainsFunc(g, func(x float32) bool { return x != x }) || slices.Max(g) == 0 && slices.Min(g) == 0 {
				t.Errorf("%s: got %v, which compares nothing", got[i].Name(), g)
			}
		}
	}
	if loss := float64(m.Buffer(ours.cost).F[0]); loss <= 0 || math.IsInf(loss, 0) {
		t.Errorf("got loss %v", loss)
	}
}

// The kernels beneath must not allocate either.
func TestRealStepDoesNotAllocate(t *testing.T) {
	skipUnderRace(t)
	r := newReference(t)
	m := compile(t, r.bind, append(backprop(t, r.cost, r.params...), r.outputs...)...)
	run(t, m)
	if got := testing.AllocsPerRun(20, func() { run(t, m) }); got != 0 {
		t.Errorf("got %v allocations per run, want 0", got)
	}
}
