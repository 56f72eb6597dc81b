package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestDet(t *testing.T) {
	det := func(in []*G.Node) (*G.Node, error) { return Det(in[0]) }
	got, shape := forward(t, det, floatLeaf([]int{2, 2, 2}, 1, 2, 3, 4, 0, 2, 3, 0))
	wantShape(t, shape, 2)
	wantFloats(t, got, []float32{-2, -6}, 1e-6)
	checkGrad(t, det, noise(1, 2, 3, 3))
	checkGrad(t, det, floatLeaf([]int{2, 2}, 1, 2, 2, 4)) // has no inverse
	checkGrad(t, det, noise(2, 1, 1))
}
