package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestPad(t *testing.T) {
	build := func(begins, ends []int) builder {
		return func(in []*G.Node) (*G.Node, error) {
			if len(in) == 1 {
				return Pad(in[0], begins, ends, nil)
			}
			return Pad(in[0], begins, ends, in[1])
		}
	}
	y, s := forward(t, build([]int{1, 0}, []int{0, 2}), floatLeaf([]int{1, 2}, 3, 4))
	wantShape(t, s, 2, 4)
	wantFloats(t, y, []float32{0, 0, 0, 0, 3, 4, 0, 0}, 0)
	y, _ = forward(t, build([]int{1}, []int{1}), floatLeaf([]int{1}, 3), floatLeaf([]int{}, 7))
	wantFloats(t, y, []float32{7, 3, 7}, 0)
	y, _ = forward(t, build([]int{1}, []int{1}), intLeaf([]int{1}, 3), intLeaf([]int{1}, -7))
	wantInts(t, y, -7, 3, -7)
	checkGrad(t, build([]int{1, 0, 2}, []int{0, 1, 1}), noise(1, 2, 3, 2))
}
