package op

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
)

type reduction func(x *G.Node, axes []int, keepDims bool) (*G.Node, error)

// over makes a builder of a reduction.
func over(f reduction, keepDims bool, axes ...int) builder {
	return func(in []*G.Node) (*G.Node, error) { return f(in[0], axes, keepDims) }
}

var folds = []struct {
	name string
	f    reduction
	want []float32 // of 1 -2 3 over axis 1
}{
	{"ReduceMax", ReduceMax, []float32{3}},
	{"ReduceMin", ReduceMin, []float32{-2}},
	{"ReduceProd", ReduceProd, []float32{-6}},
	{"ReduceL1", ReduceL1, []float32{6}},
	{"ReduceL2", ReduceL2, []float32{3.7416575}},
	{"ReduceSumSquare", ReduceSumSquare, []float32{14}},
	{"ReduceLogSum", ReduceLogSum, []float32{0.6931472}},
	{"ReduceLogSumExp", ReduceLogSumExp, []float32{3.1328452}},
}

func TestFolds(t *testing.T) {
	for _, c := range folds {
		t.Run(c.name, func(t *testing.T) {
			y, s := forward(t, over(c.f, true, 1), floatLeaf([]int{1, 3}, 1, -2, 3))
			wantShape(t, s, 1, 1)
			wantFloats(t, y, c.want, 1e-6)
			x := spaced(1, 2, 3, 4)
			switch c.name {
			case "ReduceL1":
				x = noise(1, 2, 3, 4)
			case "ReduceLogSum":
				for i := range x.data.F {
					x.data.F[i] = float32(math.Abs(float64(x.data.F[i])))
				}
			}
			for _, axes := range [][]int{{0}, {1}, {-1}, {0, 2}, {0, 1}, nil} {
				_, s := forward(t, over(c.f, false, axes...), x)
				if want := max(0, 3-len(axes)) * min(1, len(axes)); len(s) != want {
					t.Errorf("axes %v: got shape %v, want %d axes", axes, s, want)
				}
				checkGrad(t, over(c.f, false, axes...), x)
			}
			checkGrad(t, over(c.f, true, 1), x)
		})
	}
}

func TestFoldsOfIntegers(t *testing.T) {
	x := intLeaf([]int{2, 3}, 5, -1, 2, 3, 4, 6)
	y, _ := forward(t, over(ReduceMax, false, 1), x)
	wantInts(t, y, 5, 6)
	y, _ = forward(t, over(ReduceMin, false, 0), x)
	wantInts(t, y, 3, -1, 2)
	y, _ = forward(t, over(ReduceProd, false), x)
	wantInts(t, y, -720)
}

func TestFoldsOfNothing(t *testing.T) {
	inf := float32(math.Inf(1))
	x := floatLeaf([]int{2, 0})
	for i, want := range []float32{-inf, inf, 1, 0, 0, 0, -inf, -inf} {
		c := folds[i]
		y, _ := forward(t, over(c.f, false, 1), x)
		if y.F[0] != want || y.F[1] != want {
			t.Errorf("%s: got %v, want %v", c.name, y.F, want)
		}
	}
	y, _ := forward(t, over(ReduceMin, false, 1), intLeaf([]int{1, 0}, []int64{}...))
	wantInts(t, y, math.MaxInt64)
}

func TestReduceLogSumExpStaysFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	y, _ := forward(t, over(ReduceLogSumExp, false, 1), floatLeaf([]int{4, 2}, 1000, 1000, -1000, -1000, -inf, -inf, inf, 0))
	wantFloats(t, y, []float32{1000.6931, -999.3069, -inf, inf}, 1e-6)
}

func TestFoldGradientsAtKinks(t *testing.T) {
	g := gradients(t, over(ReduceMax, false), floatLeaf([]int{4}, 2, 1, 2, 0))
	wantFloats(t, g[0], []float32{0.5, 0, 0.5, 0}, 0)
	g = gradients(t, over(ReduceL2, false), floatLeaf([]int{2}, 0, 0))
	wantFloats(t, g[0], []float32{0, 0}, 0)
	g = gradients(t, over(ReduceProd, false, 1), floatLeaf([]int{3, 3}, 2, 0, 3, 0, 0, 3, 2, 3, 4))
	wantFloats(t, g[0], []float32{0, 6, 0, 0, 0, 0, 12, 8, 6}, 1e-6)
}
