package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

// TestRegions checks a bin and an average worked out by hand, and the gradients.
func TestRegions(t *testing.T) {
	pool := func(s RegionSpec) builder {
		return func(in []*G.Node) (*G.Node, error) { return Regions(in[0], in[1], in[2], s) }
	}
	x := floatLeaf([]int{1, 1, 3, 3}, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	bins := RegionSpec{Rows: 2, Cols: 1, Max: true, Bins: true, Align: Align{Scale: 1}}
	got, shape := forward(t, pool(bins), x, floatLeaf([]int{1, 4}, 0, 0, 1, 2), intLeaf([]int{1}, 0))
	wantShape(t, shape, 1, 1, 2, 1)
	wantFloats(t, got, []float32{4, 7}, 0) // rows 0 and 1, rows 1 and 2, of columns 0 and 1

	align := RegionSpec{Rows: 1, Cols: 1, Align: Align{Scale: 0.5, Points: 1}}
	got, _ = forward(t, pool(align), x, floatLeaf([]int{2, 4}, 0, 0, 4, 2, 90, 90, 99, 99), intLeaf([]int{2}, 0, 0))
	wantFloats(t, got, []float32{0.5*3 + 1, 0}, 1e-6) // at row 0.5, column 1; outside

	boxes := intLeaf([]int{3, 4}, 0, 1, 7, 6, 2, 2, 18, 4, -2, 0, 4, 5)
	images := spaced(3, 2, 2, 4, 5)
	for i := range images.data.F {
		images.data.F[i] *= 16 // weighted, elements are further apart than the differences reach
	}
	for _, s := range []RegionSpec{{Rows: 2, Cols: 1, Max: true, Bins: true, Align: Align{Scale: 0.5}}, align,
		{Rows: 2, Cols: 3, Align: Align{Scale: 0.5, HalfPixel: true}}, {Rows: 2, Cols: 2, Max: true, Align: Align{Scale: 0.6, Points: 2}}} {
		checkGrad(t, func(in []*G.Node) (*G.Node, error) {
			floats, err := ToFloat(in[1]) // which has no gradient, as boxes have none
			if err != nil {
				return nil, err
			}
			return Regions(in[0], floats, in[2], s)
		}, images, boxes, intLeaf([]int{3}, 0, 1, 1))
	}
}
