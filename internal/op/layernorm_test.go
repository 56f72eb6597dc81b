package op

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
)

func layerNorm(axis int) builder {
	return func(in []*G.Node) (*G.Node, error) {
		var shift *G.Node
		if len(in) > 2 {
			shift = in[2]
		}
		return LayerNorm(in[0], in[1], shift, axis, normEps)
	}
}

func TestLayerNorm(t *testing.T) {
	x := floatLeaf([]int{2, 2}, 1, 3, 10, 10)
	scale, shift := floatLeaf([]int{2}, 2, 3), floatLeaf([]int{2}, 1, -1)
	f := 1 / float32(math.Sqrt(1+normEps))
	got, shape := forward(t, layerNorm(-1), x, scale, shift)
	wantShape(t, shape, 2, 2)
	wantFloats(t, got, []float32{1 - 2*f, -1 + 3*f, 1, -1}, 1e-6)
	got, _ = forward(t, layerNorm(1), x, scale)
	wantFloats(t, got, []float32{-2 * f, 3 * f, 0, 0}, 1e-6)
	// Over all axes: mean 6, variance (25 + 9 + 16 + 16)/4.
	f = 1 / float32(math.Sqrt(16.5+normEps))
	got, _ = forward(t, layerNorm(0), x, floatLeaf([]int{2, 2}, 1, 1, 1, 2))
	wantFloats(t, got, []float32{-5 * f, -3 * f, 4 * f, 8 * f}, 1e-6)
}

func TestLayerNormGrad(t *testing.T) {
	checkGrad(t, layerNorm(-1), noise(1, 4, 5), noise(2, 5), noise(3, 5))
	checkGrad(t, layerNorm(1), noise(1, 3, 2, 9), noise(2, 2, 9))
	checkGrad(t, layerNorm(2), noise(1, 2, 2, 3, 2), noise(2, 3, 2), noise(3, 3, 2))
}

func TestLayerNormErrors(t *testing.T) {
	wantErrors(t, []struct {
		words  string
		build  builder
		inputs []leaf
	}{
		{"LayerNorm|(3)|(4)", layerNorm(1), []leaf{counted(2, 4), counted(3)}},
		{"LayerNorm|axis 2|rank 2", layerNorm(2), []leaf{counted(2, 4), counted(4)}},
		{"LayerNorm|int64", layerNorm(1), []leaf{intLeaf([]int{1, 1}, 1), counted(1)}},
	})
}
