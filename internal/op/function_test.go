package op

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestFunctions(t *testing.T) {
	inf := float32(math.Inf(1))
	middle := []float32{-2, -0.5, 0, 0.5, 2}
	unit := []float32{-0.75, -0.5, 0, 0.25, 0.75}
	above1 := []float32{1.25, 1.5, 2, 3}
	positive := []float32{0.25, 0.5, 1, 4}
	for _, c := range []struct {
		f       Function
		x, want []float32
		kinks   bool // x holds points without a derivative
	}{
		{Abs, []float32{-inf, -2, 0, 3}, []float32{inf, 2, 0, 3}, true},
		{Neg, middle, []float32{2, 0.5, 0, -0.5, -2}, false},
		{Sqrt, positive, []float32{0.5, 0.70710678, 1, 2}, false},
		{Reciprocal, []float32{-2, 0.5, 4}, []float32{-0.5, 2, 0.25}, false},
		{Exp, middle, []float32{0.13533528, 0.60653066, 1, 1.6487213, 7.3890561}, false},
		{Log, positive, []float32{-1.3862944, -0.6931472, 0, 1.3862944}, false},
		{Sin, middle, []float32{-0.9092974, -0.4794255, 0, 0.4794255, 0.9092974}, false},
		{Cos, middle, []float32{-0.4161468, 0.87758256, 1, 0.87758256, -0.4161468}, false},
		{Tan, unit, []float32{-0.9315960, -0.5463025, 0, 0.2553419, 0.9315960}, false},
		{Asin, unit, []float32{-0.8480621, -0.5235988, 0, 0.2526803, 0.8480621}, false},
		{Acos, unit, []float32{2.4188584, 2.0943951, 1.5707963, 1.3181161, 0.7227342}, false},
		{Atan, middle, []float32{-1.1071487, -0.4636476, 0, 0.4636476, 1.1071487}, false},
		{Sinh, middle, []float32{-3.6268604, -0.5210953, 0, 0.5210953, 3.6268604}, false},
		{Cosh, middle, []float32{3.7621957, 1.1276260, 1, 1.1276260, 3.7621957}, false},
		{Asinh, middle, []float32{-1.4436355, -0.4812118, 0, 0.4812118, 1.4436355}, false},
		{Acosh, above1, []float32{0.6931472, 0.9624237, 1.3169579, 1.7627472}, false},
		{Atanh, unit, []float32{-0.9729551, -0.5493061, 0, 0.2554128, 0.9729551}, false},
		{Softplus, []float32{-200, -2, 0, 0.5, 200}, []float32{0, 0.12692801, 0.6931472, 0.9740770, 200}, false},
		{Softsign, []float32{-3, -0.5, 0.5, 3}, []float32{-0.75, -0.33333334, 0.33333334, 0.75}, false},
		{Mish, middle, []float32{-0.2525015, -0.2207438, 0, 0.3752452, 1.9439590}, false},
		{Elu(2), []float32{-2, -0.5, 0.5, 2}, []float32{-1.7293294, -0.7869387, 0.5, 2}, false},
		{Selu(1.5, 3), []float32{-2, -0.5, 0.5, 2}, []float32{-3.8909912, -1.7706121, 1.5, 6}, false},
		{Celu(2), []float32{-2, -0.5, 0.5, 2}, []float32{-1.2642411, -0.4423984, 0.5, 2}, false},
		{Swish(1), middle, []float32{-0.2384058, -0.1887703, 0, 0.3112297, 1.7615942}, false},
		{Swish(2), middle, []float32{-0.0359724, -0.1344707, 0, 0.3655293, 1.9640276}, false},
		{HardSigmoid(0.5, 0.25), []float32{-2, -0.25, 0.5, 2}, []float32{0, 0.125, 0.5, 1}, false},
		{HardSwish, []float32{-4, -1, 0, 1, 4}, []float32{0, -0.33333334, 0, 0.6666667, 4}, false},
		{ThresholdedRelu(1), []float32{-2, 0.5, 1, 2}, []float32{0, 0, 0, 2}, true},
		{Shrink(0.5, 0.25), []float32{-2, -0.5, 0, 0.5, 2}, []float32{-1.75, 0, 0, 0, 1.75}, true},
	} {
		t.Run(c.f.name, func(t *testing.T) {
			build := func(in []*G.Node) (*G.Node, error) { return Map(c.f, in[0]) }
			y, _ := forward(t, build, floatLeaf([]int{len(c.x)}, c.x...))
			wantFloats(t, y, c.want, 3e-7)
			if y, _ = forward(t, build, floatLeaf([]int{1}, float32(math.NaN()))); y.F[0] == y.F[0] {
				t.Errorf("of NaN: got %v, want NaN", y.F)
			}
			x := c.x
			if c.kinks {
				x = []float32{-2.25, -0.625, 0.25, 0.75, 1.5}
			}
			checkGrad(t, build, floatLeaf([]int{len(x)}, x...))
		})
	}
}

func TestFunctionsWithoutGradient(t *testing.T) {
	x := []float32{-1.5, -0.5, 0, 0.5, 1.5, 2.5}
	for _, c := range []struct {
		f    Function
		want []float32
	}{
		{Floor, []float32{-2, -1, 0, 0, 1, 2}},
		{Ceil, []float32{-1, 0, 0, 1, 2, 3}},
		{Round, []float32{-2, 0, 0, 0, 2, 2}},
		{Sign, []float32{-1, -1, 0, 1, 1, 1}},
		{Rounding(math.Trunc), []float32{-1, 0, 0, 0, 1, 2}},
	} {
		in, out, values := graphOf(t, func(in []*G.Node) (*G.Node, error) { return Map(c.f, in[0]) },
			[]leaf{floatLeaf([]int{6}, x...)})
		y, err := evaluate(out, values)
		if err != nil {
			t.Fatal(err)
		}
		wantFloats(t, y, c.want, 0)
		seed := Input(out.Graph(), "seed", out.Dtype(), 6)
		if g := backprop(t, in, out, seed)[0]; g != nil {
			t.Errorf("%s: got a gradient", c.f.name)
		}
	}
}

func TestStraightFunctions(t *testing.T) {
	build := func(in []*G.Node) (*G.Node, error) { return Map(Straight(math.Round), in[0]) }
	y, _ := forward(t, build, floatLeaf([]int{2}, 1.25, -0.75))
	wantFloats(t, y, []float32{1, -1}, 0)
	g := gradients(t, build, floatLeaf([]int{2}, 1.25, -0.75))
	wantFloats(t, g[0], []float32{1, 1}, 0)
}

func TestFunctionsOfIntegers(t *testing.T) {
	x := intLeaf([]int{4}, -7, 0, 1, math.MaxInt64)
	for _, c := range []struct {
		name  string
		build func(x *G.Node) (*G.Node, error)
		want  []int64
	}{
		{"Abs", func(x *G.Node) (*G.Node, error) { return Map(Abs, x) }, []int64{7, 0, 1, math.MaxInt64}},
		{"Neg", func(x *G.Node) (*G.Node, error) { return Map(Neg, x) }, []int64{7, 0, -1, -math.MaxInt64}},
		{"Sign", func(x *G.Node) (*G.Node, error) { return Map(Sign, x) }, []int64{-1, 0, 1, 1}},
		{"Not", Not, []int64{0, 1, 0, 0}},
		{"Complement", Complement, []int64{6, -1, -2, math.MinInt64}},
	} {
		y, _ := forward(t, func(in []*G.Node) (*G.Node, error) { return c.build(in[0]) }, x)
		if wantInts(t, y, c.want...); t.Failed() {
			t.Fatal(c.name)
		}
	}
	in := []*G.Node{}
	_, _, _ = graphOf(t, func(nodes []*G.Node) (*G.Node, error) { in = nodes; return nodes[0], nil }, []leaf{x})
	if _, err := Map(Exp, in[0]); err == nil {
		t.Error("got no error for Exp of int64")
	}
}

func TestFloatTests(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x := floatLeaf([]int{5}, nan, -inf, inf, 0, math.MaxFloat32)
	for _, c := range []struct {
		build func(x *G.Node) (*G.Node, error)
		want  []int64
	}{
		{IsNaN, []int64{1, 0, 0, 0, 0}},
		{func(x *G.Node) (*G.Node, error) { return IsInf(x, true, true) }, []int64{0, 1, 1, 0, 0}},
		{func(x *G.Node) (*G.Node, error) { return IsInf(x, true, false) }, []int64{0, 1, 0, 0, 0}},
		{func(x *G.Node) (*G.Node, error) { return IsInf(x, false, true) }, []int64{0, 0, 1, 0, 0}},
	} {
		y, _ := forward(t, func(in []*G.Node) (*G.Node, error) { return c.build(in[0]) }, x)
		wantInts(t, y, c.want...)
	}
}
