package op

import (
	"math"
	"testing"

	"gorgonia.org/tensor"

	G "gorgonia.org/gorgonia"
)

func TestCasts(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	y, _ := forward(t, one(ToInt), floatLeaf([]int{9}, 1.9, -1.9, 0.5, -0.5, nan, inf, -inf, 1e30, -1<<63))
	wantInts(t, y, 1, -1, 0, 0, 0, math.MaxInt64, math.MinInt64, math.MaxInt64, math.MinInt64)
	y, _ = forward(t, one(ToFloat), intLeaf([]int{3}, 0, -5, 1<<24+1))
	wantFloats(t, y, []float32{0, -5, 1 << 24}, 0)
	y, _ = forward(t, one(ToBool), floatLeaf([]int{5}, 0, float32(math.Copysign(0, -1)), 0.1, -3, nan))
	wantInts(t, y, 0, 0, 1, 1, 1)
	y, _ = forward(t, one(ToBool), intLeaf([]int{3}, 0, -5, 1))
	wantInts(t, y, 0, 1, 1)
}

func TestCastStopsTheGradient(t *testing.T) {
	in, out, _ := graphOf(t, func(in []*G.Node) (*G.Node, error) {
		i, err := ToInt(in[0])
		if err != nil {
			return nil, err
		}
		return ToFloat(i)
	}, []leaf{noise(1, 3)})
	seed := Input(out.Graph(), "seed", tensor.Float32, 3)
	if g := backprop(t, in, out, seed)[0]; g != nil {
		t.Errorf("got gradient %v, want none", g)
	}
}
