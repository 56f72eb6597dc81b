package op

import (
	"math"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
)

// pairOf makes a builder of an operation on two operands.
func pairOf(f func(a, b *G.Node) (*G.Node, error)) builder {
	return func(in []*G.Node) (*G.Node, error) { return f(in[0], in[1]) }
}

func TestComparisons(t *testing.T) {
	nan := float32(math.NaN())
	fa, fb := floatLeaf([]int{4}, 1, 2, 3, nan), floatLeaf([]int{4}, 2, 2, 2, nan)
	ia, ib := intLeaf([]int{3}, 1, 2, 3), intLeaf([]int{1}, 2)
	for _, c := range []struct {
		name         string
		f            func(a, b *G.Node) (*G.Node, error)
		floats, ints []int64
	}{
		{"Equal", Equal, []int64{0, 1, 0, 0}, []int64{0, 1, 0}},
		{"Less", Less, []int64{1, 0, 0, 0}, []int64{1, 0, 0}},
		{"LessOrEqual", LessOrEqual, []int64{1, 1, 0, 0}, []int64{1, 1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y, _ := forward(t, pairOf(c.f), fa, fb)
			wantInts(t, y, c.floats...)
			y, _ = forward(t, pairOf(c.f), ia, ib)
			wantInts(t, y, c.ints...)
		})
	}
}

func TestIntegerPairs(t *testing.T) {
	a, b := intLeaf([]int{4}, 7, -7, 7, -7), intLeaf([]int{4}, 3, 3, -3, -3)
	for _, c := range []struct {
		name string
		f    func(a, b *G.Node) (*G.Node, error)
		a, b leaf
		want []int64
	}{
		{"And", And, intLeaf([]int{2}, 6, 1), intLeaf([]int{2}, 3, 0), []int64{2, 0}},
		{"Or", Or, intLeaf([]int{2}, 6, 0), intLeaf([]int{2}, 3, 0), []int64{7, 0}},
		{"Xor", Xor, intLeaf([]int{2}, 6, 1), intLeaf([]int{2}, 3, 1), []int64{5, 0}},
		{"ShiftLeft", ShiftLeft, intLeaf([]int{2}, 3, 1), intLeaf([]int{2}, 2, 70), []int64{12, 0}},
		{"ShiftRight", ShiftRight, intLeaf([]int{2}, 12, 1), intLeaf([]int{2}, 2, 70), []int64{3, 0}},
		{"Modulo", Modulo, a, b, []int64{1, 2, -2, -1}},
		{"Remainder", Remainder, a, b, []int64{1, -1, 1, -1}},
		{"Max", Max, a, b, []int64{7, 3, 7, -3}},
		{"Min", Min, a, b, []int64{3, -7, -3, -7}},
		{"Pow", Pow, intLeaf([]int{6}, 3, -2, 5, 1, -1, 2), intLeaf([]int{6}, 4, 3, 0, -2, -3, -1), []int64{81, -8, 1, 1, -1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y, _ := forward(t, pairOf(c.f), c.a, c.b)
			wantInts(t, y, c.want...)
		})
	}
	_, out, values := graphOf(t, pairOf(Modulo), []leaf{a, intLeaf([]int{}, 0)})
	if _, err := evaluate(out, values); err == nil || !strings.Contains(err.Error(), "division by zero") {
		t.Errorf("got error %v, want division by zero", err)
	}
}

func TestFloatPairs(t *testing.T) {
	for _, c := range []struct {
		name       string
		f          func(a, b *G.Node) (*G.Node, error)
		a, b, want []float32
	}{
		{"Max", Max, []float32{1, -2, 3}, []float32{2, -3, 3}, []float32{2, -2, 3}},
		{"Min", Min, []float32{1, -2, 3}, []float32{2, -3, 3}, []float32{1, -3, 3}},
		{"Remainder", Remainder, []float32{5.5, -5.5, 5.5}, []float32{2, 2, -2}, []float32{1.5, -1.5, 1.5}},
		{"Pow", Pow, []float32{2, 4, 0, -2}, []float32{3, 0.5, 0, 2}, []float32{8, 2, 1, 4}},
		{"PRelu", PRelu, []float32{-2, 0, 3}, []float32{0.5, 0.5, 0.5}, []float32{-1, 0, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y, _ := forward(t, pairOf(c.f), floatLeaf([]int{len(c.a)}, c.a...), floatLeaf([]int{len(c.b)}, c.b...))
			wantFloats(t, y, c.want, 1e-6)
		})
	}
}

func TestPairGradients(t *testing.T) {
	positive := spaced(3, 2, 3)
	for i := range positive.data.F {
		positive.data.F[i] = 1 + float32(math.Abs(float64(positive.data.F[i])))
	}
	for _, c := range []struct {
		name string
		f    func(a, b *G.Node) (*G.Node, error)
		a, b leaf
	}{
		{"Max", Max, spaced(1, 2, 3), floatLeaf([]int{3}, 0.08, -0.12, 0.18)},
		{"Max of a repeated first operand", Max, floatLeaf([]int{3}, 0.08, -0.12, 0.18), spaced(1, 2, 3)},
		{"Min", Min, spaced(1, 2, 3), floatLeaf([]int{}, 0.08)},
		{"Pow", Pow, positive, noise(2, 3)},
		{"PRelu", PRelu, noise(4, 2, 3), noise(5, 3)},
		{"PRelu of one slope", PRelu, noise(4, 2, 3), noise(5)},
		{"Remainder", Remainder, floatLeaf([]int{2, 2}, 5.4, -5.4, 2.3, 0.7), floatLeaf([]int{2}, 2, -1.5)},
	} {
		t.Run(c.name, func(t *testing.T) { checkGrad(t, pairOf(c.f), c.a, c.b) })
	}
}

// gradients are those of Σy with respect to the inputs.
func gradients(t *testing.T, build builder, inputs ...leaf) []Buffer {
	t.Helper()
	in, out, values := graphOf(t, build, inputs)
	seed := Input(out.Graph(), "seed", out.Dtype(), out.Shape()...)
	ones := make([]float32, out.Shape().TotalSize())
	for i := range ones {
		ones[i] = 1
	}
	values[seed] = Buffer{F: ones}
	var list []Buffer
	for _, g := range backprop(t, in, out, seed) {
		var b Buffer
		if g != nil {
			var err error
			if b, err = evaluate(g, values); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, b)
	}
	return list
}

func TestPairGradientsAtKinks(t *testing.T) {
	g := gradients(t, pairOf(Max), floatLeaf([]int{1}, 2), floatLeaf([]int{1}, 2))
	wantFloats(t, g[0], []float32{0.5}, 0)
	wantFloats(t, g[1], []float32{0.5}, 0)
	g = gradients(t, pairOf(Pow), floatLeaf([]int{3}, 0, 0, 0), floatLeaf([]int{3}, 0, 1, 2))
	wantFloats(t, g[0], []float32{0, 1, 0}, 0)
	wantFloats(t, g[1], []float32{0, 0, 0}, 0)
}

func TestWhere(t *testing.T) {
	build := func(in []*G.Node) (*G.Node, error) { return Where(in[0], in[1], in[2]) }
	mask := intLeaf([]int{2, 1}, 1, 0)
	y, s := forward(t, build, mask, floatLeaf([]int{3}, 1, 2, 3), floatLeaf([]int{}, 9))
	wantShape(t, s, 2, 3)
	wantFloats(t, y, []float32{1, 2, 3, 9, 9, 9}, 0)
	y, _ = forward(t, build, mask, intLeaf([]int{2, 2}, 1, 2, 3, 4), intLeaf([]int{2}, 8, 9))
	wantInts(t, y, 1, 2, 8, 9)
	checkGrad(t, build, mask, noise(1, 3), noise(2, 2, 3))
	checkGrad(t, build, intLeaf([]int{2, 3}, 1, 0, 0, 1, 0, 1), noise(1, 2, 3), noise(2))
}

func TestPairErrors(t *testing.T) {
	for _, c := range []struct {
		build  builder
		inputs []leaf
	}{
		{pairOf(Less), []leaf{intLeaf([]int{1}, 1), floatLeaf([]int{1}, 1)}},
		{pairOf(Less), []leaf{noise(1, 2), noise(1, 3)}},
		{pairOf(And), []leaf{noise(1, 2), noise(1, 2)}},
		{pairOf(PRelu), []leaf{noise(1, 2), noise(1, 3, 2)}},
	} {
		g := G.NewGraph()
		var in []*G.Node
		for i, l := range c.inputs {
			dt := G.Float32
			if l.data.I != nil {
				dt = G.Int64
			}
			in = append(in, Input(g, string(rune('a'+i)), dt, l.shape...))
		}
		if n, err := c.build(in); err == nil {
			t.Errorf("got %v, want an error", n)
		}
	}
}
