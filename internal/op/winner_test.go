package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestMaxPoolIndices(t *testing.T) {
	build := func(s PoolSpec, byColumns bool) builder {
		return func(in []*G.Node) (*G.Node, error) { return MaxPoolIndices(in[0], s, byColumns) }
	}
	x := floatLeaf([]int{1, 2, 2, 3}, 1, 5, 5, 2, 0, 3, 9, 8, 7, 6, 10, 4)
	s := PoolSpec{Kernel: []int{2, 2}}
	y, shape := forward(t, build(s, false), x)
	wantShape(t, shape, 1, 2, 1, 2)
	wantInts(t, y, 1, 1, 10, 10)
	y, _ = forward(t, build(s, true), x)
	wantInts(t, y, 2, 2, 9, 9)
	padded := PoolSpec{Kernel: []int{2}, Strides: []int{2}, Pads: []int{1, 1}}
	y, _ = forward(t, build(padded, false), floatLeaf([]int{1, 1, 4}, -3, -1, -2, -2))
	wantInts(t, y, 0, 1, 3)
}
