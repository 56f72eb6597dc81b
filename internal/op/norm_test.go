package op

import (
	"math"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
)

const normEps = 0.5

func batchNorm(in []*G.Node) (*G.Node, error) {
	return BatchNorm(in[0], in[1], in[2], in[3], in[4], normEps)
}

func batchNormTrain(in []*G.Node) (*G.Node, error) {
	y, _, _, err := BatchNormTrain(in[0], in[1], in[2], normEps)
	return y, err
}

func TestBatchNorm(t *testing.T) {
	got, shape := forward(t, batchNorm, counted(1, 2, 2),
		floatLeaf([]int{2}, 1, 2), floatLeaf([]int{2}, 0, 10), floatLeaf([]int{2}, 1, 3), floatLeaf([]int{2}, 0.5, 3.5))
	wantShape(t, shape, 1, 2, 2)
	wantFloats(t, got, []float32{0, 1, 10, 11}, 1e-6)
}

func TestBatchNormGrad(t *testing.T) {
	// Statistics from integers: no gradient may go to them.
	build := func(in []*G.Node) (*G.Node, error) {
		mean, err := ToFloat(in[3])
		if err != nil {
			return nil, err
		}
		variance, err := ToFloat(in[4])
		if err != nil {
			return nil, err
		}
		return BatchNorm(in[0], in[1], in[2], mean, variance, normEps)
	}
	for _, x := range [][]int{{2, 3, 4}, {4, 3}, {2, 3, 2, 2}} {
		checkGrad(t, build, noise(1, x...), noise(2, 3), noise(3, 3), intLeaf([]int{3}, 0, 1, -1), intLeaf([]int{3}, 1, 2, 3))
	}
}

func TestBatchNormTrain(t *testing.T) {
	x := floatLeaf([]int{2, 2, 2}, 1, 3, 10, 10, 5, 7, 10, 10)
	// Channel 0: mean 4, variance 5; channel 1: mean 10, variance 0.
	build := func(pick int) builder {
		return func(in []*G.Node) (*G.Node, error) {
			y, mean, variance, err := BatchNormTrain(in[0], in[1], in[2], normEps)
			return []*G.Node{y, mean, variance}[pick], err
		}
	}
	scale, shift := floatLeaf([]int{2}, 2, 3), floatLeaf([]int{2}, 1, -1)
	got, shape := forward(t, build(0), x, scale, shift)
	wantShape(t, shape, 2, 2, 2)
	f := 2 / float32(math.Sqrt(5+normEps))
	wantFloats(t, got, []float32{1 - 3*f, 1 - f, -1, -1, 1 + f, 1 + 3*f, -1, -1}, 1e-6)
	got, shape = forward(t, build(1), x, scale, shift)
	wantShape(t, shape, 2)
	wantFloats(t, got, []float32{4, 10}, 1e-6)
	got, shape = forward(t, build(2), x, scale, shift)
	wantShape(t, shape, 2)
	wantFloats(t, got, []float32{5, 0}, 1e-6)
}

func TestBatchNormTrainGrad(t *testing.T) {
	for _, x := range [][]int{{2, 3, 4}, {4, 3}, {3, 2, 2, 2}} {
		checkGrad(t, batchNormTrain, noise(1, x...), noise(2, x[1]), noise(3, x[1]))
	}
}

// The gradient of limits right behind it becomes part of that of batch
// normalisation, and must not change a bit.
func TestBatchNormTrainLimitsGrad(t *testing.T) {
	for _, limits := range [][2]float32{{0, float32(math.Inf(1))}, {-0.5, 0.75}} {
		gradients := func(between func(x *G.Node) (*G.Node, error)) [][]float32 {
			build := func(in []*G.Node) (*G.Node, error) {
				y, err := batchNormTrain(in)
				if err == nil {
					y, err = between(y)
				}
				if err != nil {
					return nil, err
				}
				return Clip(y, limits[0], limits[1])
			}
			in, out, values := graphOf(t, build, []leaf{noise(1, 3, 2, 5), noise(2, 2), noise(3, 2)})
			seed := Input(out.Graph(), "seed", out.Dtype(), out.Shape()...)
			values[seed] = noise(4, 3, 2, 5).data
			var list [][]float32
			for _, g := range backprop(t, in, out, seed) {
				got, err := evaluate(g, values)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, got.F)
			}
			return list
		}
		got := gradients(func(x *G.Node) (*G.Node, error) { return x, nil })
		want := gradients(func(x *G.Node) (*G.Node, error) { return Reshape(x, x.Shape()...) })
		for i := range want {
			if !slices.Equal(got[i], want[i]) || slices.Max(want[i]) == slices.Min(want[i]) {
				t.Errorf("limits %v, input %d: got %v, want %v", limits, i, got[i], want[i])
			}
		}
	}
}

func TestBatchNormErrors(t *testing.T) {
	c := counted(3)
	wantErrors(t, []struct {
		words  string
		build  builder
		inputs []leaf
	}{
		{"BatchNorm|(2, 3, 4)|(2)|operand 3|(3)", batchNorm, []leaf{counted(2, 3, 4), c, c, counted(2), c}},
		{"BatchNorm|rank 2", batchNorm, []leaf{counted(3), c, c, c, c}},
		{"BatchNorm|int64", batchNorm, []leaf{intLeaf([]int{1, 1}, 1), c, c, c, c}},
		{"BatchNormTrain|(2, 3)|(1, 3)|operand 1", batchNormTrain, []leaf{counted(2, 3), counted(1, 3), c}},
	})
}
