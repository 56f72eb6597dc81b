package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestResample(t *testing.T) {
	taps := NewTaps(3)
	taps.Row([]int{0}, []float64{1})
	taps.Row([]int{0, 1}, []float64{0.25, 0.75})
	taps.Row(nil, nil)
	taps.Row([]int{2, 2}, []float64{1, 2})
	build := func(axis int) builder {
		return func(in []*G.Node) (*G.Node, error) { return Resample(in[0], axis, taps) }
	}
	y, s := forward(t, build(0), floatLeaf([]int{3, 2}, 4, 8, 12, 16, 1, 2))
	wantShape(t, s, 4, 2)
	wantFloats(t, y, []float32{4, 8, 10, 14, 0, 0, 3, 6}, 0)
	y, _ = forward(t, build(1), floatLeaf([]int{1, 3}, 4, 12, 1))
	wantFloats(t, y, []float32{4, 10, 0, 3}, 0)
	checkGrad(t, build(1), noise(1, 2, 3, 2))
	checkGrad(t, build(-1), noise(1, 2, 3))
}
