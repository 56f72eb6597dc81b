package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func gatherOn(axis int) builder {
	return func(in []*G.Node) (*G.Node, error) { return Gather(in[0], in[1], axis) }
}

func TestGather(t *testing.T) {
	f, i := counting(2, 3, 2)
	for _, c := range []struct {
		axis    int
		indices leaf
		shape   []int
		want    []int64
	}{
		{0, intLeaf([]int{3}, 1, 0, -1), []int{3, 3, 2}, []int64{6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{1, intLeaf([]int{2, 1}, 2, -3), []int{2, 2, 1, 2}, []int64{4, 5, 0, 1, 10, 11, 6, 7}},
		{-1, intLeaf(nil, 1), []int{2, 3}, []int64{1, 3, 5, 7, 9, 11}},
		{0, intLeaf([]int{0}, []int64{}...), []int{0, 3, 2}, []int64{}},
	} {
		y, shape := forward(t, gatherOn(c.axis), i, c.indices)
		wantShape(t, shape, c.shape...)
		wantInts(t, y, c.want...)
		y, _ = forward(t, gatherOn(c.axis), f, c.indices)
		for k, w := range c.want {
			if y.F[k] != float32(w) {
				t.Fatalf("got %v, want %v", y.F, c.want)
			}
		}
		if len(c.want) > 0 {
			checkGrad(t, gatherOn(c.axis), noise(1, 2, 3, 2), c.indices)
		}
	}
}

func TestGatherOfOneSliceTwiceCollectsBothGradients(t *testing.T) {
	in, out, values := graphOf(t, gatherOn(0), []leaf{floatLeaf([]int{3}, 1, 2, 3), intLeaf([]int{4}, 0, 2, 0, -3)})
	seed := Input(out.Graph(), "seed", tensor.Float32, 4)
	values[seed] = Buffer{F: []float32{1, 10, 100, 1000}}
	g, err := evaluate(backprop(t, in, out, seed)[0], values)
	if err != nil {
		t.Fatal(err)
	}
	wantFloats(t, g, []float32{1101, 0, 10}, 0)
}

func TestGatherIndexOutOfRange(t *testing.T) {
	for _, c := range []struct {
		index int64
		want  string
	}{
		{3, "Gather: index 3 (element 1) is outside [-3, 2]"},
		{-4, "Gather: index -4 (element 1) is outside [-3, 2]"},
	} {
		_, out, values := graphOf(t, gatherOn(1), []leaf{noise(1, 2, 3), intLeaf([]int{2}, 0, c.index)})
		if _, err := evaluate(out, values); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	g := G.NewGraph()
	x, i := Input(g, "x", tensor.Float32, 2), Input(g, "i", tensor.Int64, 2)
	if _, err := Gather(x, x, 0); err == nil {
		t.Error("float32 indices: got no error")
	}
	if _, err := Gather(x, i, 1); err == nil {
		t.Error("axis 1 of 1: got no error")
	}
}
