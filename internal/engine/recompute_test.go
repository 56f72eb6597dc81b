package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// normalised is a chain of convolutions with batch normalisation, and its loss and
// gradients.
func normalised(t *testing.T, layers int) []*G.Node {
	t.Helper()
	g := G.NewGraph()
	must := func(n *G.Node, err error) *G.Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	random := rand.New(rand.NewPCG(1, 2))
	leaf := func(name string, shape ...int) *G.Node {
		n := op.Input(g, name, tensor.Float32, shape...)
		values := make([]float32, size(n.Shape()))
		for i := range values {
			values[i] = float32(random.NormFloat64())
		}
		if err := G.Let(n, op.Value(op.Buffer{F: values}, n.Shape())); err != nil {
			t.Fatal(err)
		}
		return n
	}
	x := leaf("x", 2, 4, 9, 9)
	var weights []*G.Node
	for i := range layers {
		w := leaf(fmt.Sprint("w", i), 4, 4, 3, 3)
		scale, shift := leaf(fmt.Sprint("scale", i), 4), leaf(fmt.Sprint("shift", i), 4)
		weights = append(weights, w, scale, shift)
		x = must(op.Conv(x, w, nil, op.ConvSpec{Pads: []int{1, 1, 1, 1}}))
		y, _, _, err := op.BatchNormTrain(x, scale, shift, 1e-5)
		x = must(op.Relu(must(y, err)))
	}
	loss := must(op.ReduceMean(x, nil, false))
	return append(backprop(t, loss, weights...), loss)
}

func TestRecompute(t *testing.T) {
	outputs := normalised(t, 6)
	results := func(p *Plan) [][]float32 {
		t.Helper()
		m, err := p.Machine(new(Space))
		if err != nil {
			t.Fatal(err)
		}
		var list [][]float32
		for range 2 {
			run(t, m)
		}
		for _, n := range outputs {
			list = append(list, m.Buffer(n).F)
		}
		return list
	}
	plan := func(most int) *Plan {
		t.Helper()
		p, err := NewPlan(outputs, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.Recompute(most)
		return p
	}
	whole := plan(1 << 30)
	if least := plan(0).Shared(); least > whole.Shared()*3/4 {
		t.Errorf("got %d bytes at least and %d at most, want to save a quarter", least, whole.Shared())
	}
	want := results(whole)
	for share := range 10 {
		most := whole.Shared() * share / 10
		p := plan(most)
		if got := results(p); !slices.EqualFunc(got, want, slices.Equal[[]float32]) {
			t.Errorf("limited to %d of %d bytes, at %d: got other results than with all of them", most, whole.Shared(), p.Shared())
		}
	}
	if p := plan(whole.Shared()); len(p.steps) != len(whole.steps) {
		t.Errorf("got %d steps where all fits, want %d", len(p.steps), len(whole.steps))
	}
}

// Machines in one space take as much as the largest needs, and do not disturb each
// other.
func TestSpaceIsShared(t *testing.T) {
	var space Space
	var machines []*Machine
	var outputs []*G.Node
	var want []float32
	for _, layers := range []int{2, 5, 1} {
		list := normalised(t, layers)
		loss := list[len(list)-1]
		alone := compile(t, nil, list...)
		run(t, alone)
		want = append(want, alone.Buffer(loss).F[0])
		p, err := NewPlan(list, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := p.Machine(&space)
		if err != nil {
			t.Fatal(err)
		}
		machines, outputs = append(machines, m), append(outputs, loss)
		run(t, m) // so that space grows under those that were there
	}
	for range 2 {
		for i, m := range machines {
			run(t, m)
			if got := m.Buffer(outputs[i]).F[0]; got != want[i] {
				t.Errorf("machine %d: got loss %v, want %v", i, got, want[i])
			}
		}
	}
	most := 0
	for _, m := range machines {
		most = max(most, m.plan.Shared())
	}
	if got := 4*len(space.floats) + 8*len(space.ints); got != most {
		t.Errorf("got a space of %d bytes, want the %d of the largest", got, most)
	}
}
