package op

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestArgExtremes(t *testing.T) {
	x := floatLeaf([]int{2, 3}, 1, 5, 5, 0, -2, -2)
	nan := float32(math.NaN())
	for _, c := range []struct {
		name  string
		build builder
		x     leaf
		want  []int64
	}{
		{"the first of equals", func(in []*G.Node) (*G.Node, error) { return ArgMax(in[0], 1, false, false) }, x, []int64{1, 0}},
		{"the last of equals", func(in []*G.Node) (*G.Node, error) { return ArgMax(in[0], 1, false, true) }, x, []int64{2, 0}},
		{"along the first axis", func(in []*G.Node) (*G.Node, error) { return ArgMax(in[0], 0, true, false) }, x, []int64{0, 0, 0}},
		{"the smallest", func(in []*G.Node) (*G.Node, error) { return ArgMin(in[0], -1, true, false) }, x, []int64{0, 1}},
		{"the last smallest", func(in []*G.Node) (*G.Node, error) { return ArgMin(in[0], -1, true, true) }, x, []int64{0, 2}},
		{"of integers", func(in []*G.Node) (*G.Node, error) { return ArgMin(in[0], 0, false, false) }, intLeaf([]int{3}, 3, 1, 2), []int64{1}},
		{"NaN", func(in []*G.Node) (*G.Node, error) { return ArgMax(in[0], 0, false, false) }, floatLeaf([]int{3}, 1, nan, 2), []int64{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y, _ := forward(t, c.build, c.x)
			wantInts(t, y, c.want...)
		})
	}
}

func TestTopK(t *testing.T) {
	pick := func(k, axis int, smallest, values bool) builder {
		return func(in []*G.Node) (*G.Node, error) {
			v, i, err := TopK(in[0], k, axis, smallest)
			if values {
				return v, err
			}
			return i, err
		}
	}
	x := floatLeaf([]int{2, 4}, 3, 1, 3, 2, 0, 4, 5, 6)
	y, _ := forward(t, pick(3, 1, false, true), x)
	wantFloats(t, y, []float32{3, 3, 2, 6, 5, 4}, 0)
	y, _ = forward(t, pick(3, 1, false, false), x)
	wantInts(t, y, 0, 2, 3, 3, 2, 1)
	y, s := forward(t, pick(1, 0, true, true), x)
	wantFloats(t, y, []float32{0, 1, 3, 2}, 0)
	wantShape(t, s, 1, 4)
	checkGrad(t, pick(2, 1, false, true), spaced(1, 3, 4))
	checkGrad(t, pick(2, 0, true, true), spaced(2, 3, 4))
}
