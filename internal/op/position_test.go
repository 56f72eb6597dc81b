package op

import (
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestGatherElements(t *testing.T) {
	along := func(axis int) builder {
		return func(in []*G.Node) (*G.Node, error) { return GatherElements(in[0], in[1], axis) }
	}
	x := floatLeaf([]int{3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	y, s := forward(t, along(0), x, intLeaf([]int{2, 3}, 1, -1, 0, 2, 0, 0))
	wantShape(t, s, 2, 3)
	wantFloats(t, y, []float32{4, 8, 3, 7, 2, 3}, 0)
	y, _ = forward(t, along(1), intLeaf([]int{2, 2}, 1, 2, 3, 4), intLeaf([]int{2, 2}, 0, 0, 1, 0))
	wantInts(t, y, 1, 1, 4, 3)
	checkGrad(t, along(1), noise(1, 2, 3, 2), intLeaf([]int{2, 4, 2}, 0, 1, 2, 0, -1, 0, 0, 0, 1, 1, 1, 1, 2, 2, 0, 0))
	_, out, values := graphOf(t, along(0), []leaf{x, intLeaf([]int{1, 3}, 0, 3, 0)})
	if _, err := evaluate(out, values); err == nil || !strings.Contains(err.Error(), "index 3 (element 1) is outside [-3, 2]") {
		t.Errorf("got error %v, want an index out of range", err)
	}
}

func TestGatherND(t *testing.T) {
	batched := func(dims int) builder {
		return func(in []*G.Node) (*G.Node, error) { return GatherND(in[0], in[1], dims) }
	}
	x := floatLeaf([]int{2, 2, 2}, 0, 1, 2, 3, 4, 5, 6, 7)
	y, s := forward(t, batched(0), x, intLeaf([]int{2, 2}, 0, 1, 1, -2))
	wantShape(t, s, 2, 2)
	wantFloats(t, y, []float32{2, 3, 4, 5}, 0)
	y, s = forward(t, batched(1), x, intLeaf([]int{2, 1}, 1, 0))
	wantShape(t, s, 2, 2)
	wantFloats(t, y, []float32{2, 3, 4, 5}, 0)
	y, s = forward(t, batched(0), x, intLeaf([]int{1, 3}, 1, 0, 1))
	wantShape(t, s, 1)
	wantFloats(t, y, []float32{5}, 0)
	checkGrad(t, batched(0), noise(1, 3, 2, 2), intLeaf([]int{4, 2}, 0, 0, 2, 1, 0, 0, 1, 1))
	checkGrad(t, batched(1), noise(1, 2, 3, 2), intLeaf([]int{2, 2, 1}, 0, 2, 1, 1))
}

func TestScatterElements(t *testing.T) {
	x := floatLeaf([]int{5}, 1, 2, 3, 4, 5)
	indices, updates := intLeaf([]int{4}, 1, 3, -4, 0), floatLeaf([]int{4}, 2, 0.5, 7, 0)
	for _, c := range []struct {
		kind Update
		want []float32
	}{
		{UpdateSet, []float32{0, 7, 3, 0.5, 5}},
		{UpdateAdd, []float32{1, 11, 3, 4.5, 5}},
		{UpdateMul, []float32{0, 28, 3, 2, 5}},
		{UpdateMax, []float32{1, 7, 3, 4, 5}},
		{UpdateMin, []float32{0, 2, 3, 0.5, 5}},
	} {
		build := func(in []*G.Node) (*G.Node, error) { return ScatterElements(in[0], in[1], in[2], 0, c.kind) }
		y, _ := forward(t, build, x, indices, updates)
		wantFloats(t, y, c.want, 0)
		checkGrad(t, build, spaced(1, 5), indices, floatLeaf([]int{4}, 0.77, -0.58, 0.15, 0.32))
	}
	build := func(in []*G.Node) (*G.Node, error) { return ScatterElements(in[0], in[1], in[2], 1, UpdateMul) }
	checkGrad(t, build, noise(1, 2, 3), intLeaf([]int{2, 2}, 0, 0, 2, 1), floatLeaf([]int{2, 2}, 0, 3, 1, 0))
	checkGrad(t, build, noise(1, 1, 2), intLeaf([]int{1, 3}, 0, 0, 0), floatLeaf([]int{1, 3}, 0, 0, 2))
}

func TestScatterND(t *testing.T) {
	for kind := UpdateSet; kind <= UpdateMin; kind++ {
		build := func(in []*G.Node) (*G.Node, error) { return ScatterND(in[0], in[1], in[2], kind) }
		checkGrad(t, build, spaced(1, 3, 2), intLeaf([]int{3, 1}, 2, 0, 2),
			floatLeaf([]int{3, 2}, 0.77, -0.58, 0.15, 0.32, -0.41, 0.95))
	}
	build := func(in []*G.Node) (*G.Node, error) { return ScatterND(in[0], in[1], in[2], UpdateSet) }
	y, _ := forward(t, build, intLeaf([]int{2, 2}, 1, 2, 3, 4), intLeaf([]int{2, 2}, 1, 1, 0, 0), intLeaf([]int{2}, 8, 9))
	wantInts(t, y, 9, 2, 3, 8)
}

func TestReverseSequence(t *testing.T) {
	build := func(time, batch int) builder {
		return func(in []*G.Node) (*G.Node, error) { return ReverseSequence(in[0], in[1], time, batch) }
	}
	x := floatLeaf([]int{3, 2}, 1, 2, 3, 4, 5, 6)
	y, _ := forward(t, build(0, 1), x, intLeaf([]int{2}, 2, 3))
	wantFloats(t, y, []float32{3, 6, 1, 4, 5, 2}, 0)
	y, _ = forward(t, build(1, 0), x, intLeaf([]int{3}, 2, 0, 1))
	wantFloats(t, y, []float32{2, 1, 3, 4, 5, 6}, 0)
	checkGrad(t, build(0, 1), noise(1, 3, 2, 2), intLeaf([]int{2}, 2, 3))
	_, out, values := graphOf(t, build(0, 1), []leaf{x, intLeaf([]int{2}, 2, 4)})
	if _, err := evaluate(out, values); err == nil || !strings.Contains(err.Error(), "length 4 of sequence 1 is outside [0, 3]") {
		t.Errorf("got error %v, want a length out of range", err)
	}
}
