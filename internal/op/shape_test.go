package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// one makes a builder of a function of one node.
func one(f func(x *G.Node) (*G.Node, error)) builder {
	return func(in []*G.Node) (*G.Node, error) { return f(in[0]) }
}

// counting is 0, 1, 2, … in the given shape.
func counting(shape ...int) (floats, ints leaf) {
	n := tensor.Shape(shape).TotalSize()
	f, i := make([]float32, n), make([]int64, n)
	for k := range f {
		f[k], i[k] = float32(k), int64(k)
	}
	return floatLeaf(shape, f...), intLeaf(shape, i...)
}

// checkMove runs a builder that moves the elements of one input: on both
// element types, and backward.
func checkMove(t *testing.T, build builder, shape, wantDims []int, want []int64) {
	t.Helper()
	f, i := counting(shape...)
	y, dims := forward(t, build, i)
	wantShape(t, dims, wantDims...)
	wantInts(t, y, want...)
	y, _ = forward(t, build, f)
	for k, w := range want {
		if y.F[k] != float32(w) {
			t.Fatalf("got %v, want %v", y.F, want)
		}
	}
	if len(want) > 0 {
		checkGrad(t, build, noise(1, shape...))
	}
}

func TestReshape(t *testing.T) {
	checkMove(t, one(func(x *G.Node) (*G.Node, error) { return Reshape(x, 3, 1, 2) }),
		[]int{2, 3}, []int{3, 1, 2}, []int64{0, 1, 2, 3, 4, 5})
	checkMove(t, one(func(x *G.Node) (*G.Node, error) { return Reshape(x) }), []int{1, 1}, nil, []int64{0})
	g := G.NewGraph()
	x := Input(g, "x", tensor.Float32, 2, 3)
	for _, shape := range [][]int{{5}, {-1, 6}, {math.MaxInt, 3}} {
		if _, err := Reshape(x, shape...); err == nil {
			t.Errorf("to %v: got no error", shape)
		}
	}
}

func TestTranspose(t *testing.T) {
	shape := []int{2, 3, 1, 4}
	for _, perm := range [][]int{
		{0, 1, 2, 3}, {3, 2, 1, 0}, {0, 3, 1, 2}, {0, 2, 3, 1}, {1, 0, 2, 3}, {2, 1, 3, 0}, {0, 2, 1, 3},
	} {
		t.Run(fmt.Sprint(perm), func(t *testing.T) {
			dims := make([]int, 4)
			for k, axis := range perm {
				dims[k] = shape[axis]
			}
			var want []int64
			for i := range 24 {
				index := make([]int, 4) // of the source
				rest := i
				for k := 3; k >= 0; k-- {
					index[perm[k]] = rest % dims[k]
					rest /= dims[k]
				}
				want = append(want, int64(((index[0]*3+index[1])*1+index[2])*4+index[3]))
			}
			checkMove(t, one(func(x *G.Node) (*G.Node, error) { return Transpose(x, perm) }), shape, dims, want)
		})
	}
	checkMove(t, one(func(x *G.Node) (*G.Node, error) { return Transpose(x, nil) }),
		[]int{2, 3}, []int{3, 2}, []int64{0, 3, 1, 4, 2, 5})
	x := Input(G.NewGraph(), "x", tensor.Float32, 2, 3)
	for _, perm := range [][]int{{0}, {0, 0}, {0, 2}, {-1, 0}} {
		if _, err := Transpose(x, perm); err == nil {
			t.Errorf("by %v: got no error", perm)
		}
	}
}

func TestTransposeThatMovesNothingIsAnAlias(t *testing.T) {
	x := Input(G.NewGraph(), "x", tensor.Float32, 2, 1, 3)
	y, err := Transpose(x, []int{1, 0, 2})
	if err != nil {
		t.Fatal(err)
	}
	wantShape(t, y.Shape(), 1, 2, 3)
	if !y.Op().(*Op).Alias {
		t.Error("got a copy, want an alias")
	}
}

func TestSlice(t *testing.T) {
	const end, before = math.MaxInt, math.MinInt
	for _, c := range []struct {
		start, end, step int
		want             []int64 // of 0 to 4
	}{
		{0, end, 1, []int64{0, 1, 2, 3, 4}},
		{1, 3, 1, []int64{1, 2}},
		{-2, end, 1, []int64{3, 4}},
		{0, -1, 1, []int64{0, 1, 2, 3}},
		{0, end, 2, []int64{0, 2, 4}},
		{1, end, 3, []int64{1, 4}},
		{-1, before, -1, []int64{4, 3, 2, 1, 0}},
		{3, 0, -1, []int64{3, 2, 1}},
		{end, before, -2, []int64{4, 2, 0}},
		{-2, -5, -2, []int64{3, 1}},
		{2, 2, 1, []int64{}},
		{4, 1, 1, []int64{}},
		{1, 4, -1, []int64{}},
		{7, 9, 1, []int64{}},
		{before, end, 1, []int64{0, 1, 2, 3, 4}},
		{1, end, end, []int64{1}},
		{3, before, before, []int64{3}},
	} {
		t.Run(fmt.Sprint(c.start, c.end, c.step), func(t *testing.T) {
			build := one(func(x *G.Node) (*G.Node, error) {
				return Slice(x, []int{c.start}, []int{c.end}, []int{c.step})
			})
			checkMove(t, build, []int{5}, []int{len(c.want)}, c.want)
		})
	}
	checkMove(t, one(func(x *G.Node) (*G.Node, error) {
		return Slice(x, []int{0, 2, 1}, []int{2, -9, 4}, []int{1, -2, 2})
	}), []int{2, 3, 4}, []int{2, 2, 2}, []int64{9, 11, 1, 3, 21, 23, 13, 15})
	x := Input(G.NewGraph(), "x", tensor.Float32, 2, 3)
	if _, err := Slice(x, []int{0, 0}, []int{1, 1}, []int{1, 0}); err == nil {
		t.Error("step 0: got no error")
	}
	if _, err := Slice(x, []int{0}, []int{1}, nil); err == nil {
		t.Error("one entry for two axes: got no error")
	}
}

func TestExpand(t *testing.T) {
	for _, c := range []struct {
		from, to, shape []int
		want            []int64
	}{
		{[]int{2, 1}, []int{2, 3}, []int{2, 3}, []int64{0, 0, 0, 1, 1, 1}},
		{[]int{2}, []int{3, 1}, []int{3, 2}, []int64{0, 1, 0, 1, 0, 1}},
		{nil, []int{3}, []int{3}, []int64{0, 0, 0}},
		{[]int{1, 2, 1}, []int{2, 1, 2}, []int{2, 2, 2}, []int64{0, 0, 1, 1, 0, 0, 1, 1}},
		{[]int{3}, []int{1}, []int{3}, []int64{0, 1, 2}},
		{[]int{1}, []int{0}, []int{0}, []int64{}},
	} {
		t.Run(fmt.Sprint(c.from, c.to), func(t *testing.T) {
			checkMove(t, one(func(x *G.Node) (*G.Node, error) { return Expand(x, c.to) }), c.from, c.shape, c.want)
		})
	}
	x := Input(G.NewGraph(), "x", tensor.Float32, 2, 3)
	if _, err := Expand(x, []int{2}); err == nil {
		t.Error("(2, 3) to (2): got no error")
	}
}

func TestConcat(t *testing.T) {
	a, b := intLeaf([]int{2, 1}, 1, 2), intLeaf([]int{2, 2}, 3, 4, 5, 6)
	join := func(axis int) builder {
		return func(in []*G.Node) (*G.Node, error) { return Concat(axis, in...) }
	}
	y, shape := forward(t, join(-1), a, b, a)
	wantShape(t, shape, 2, 4)
	wantInts(t, y, 1, 3, 4, 1, 2, 5, 6, 2)
	y, shape = forward(t, join(0), b, intLeaf([]int{1, 2}, 7, 8), intLeaf([]int{0, 2}, []int64{}...))
	wantShape(t, shape, 3, 2)
	wantInts(t, y, 3, 4, 5, 6, 7, 8)

	f, _ := forward(t, join(1), floatLeaf([]int{1, 1, 2}, 1, 2), floatLeaf([]int{1, 2, 2}, 3, 4, 5, 6))
	wantFloats(t, f, []float32{1, 2, 3, 4, 5, 6}, 0)
	checkGrad(t, join(1), noise(1, 2, 1, 3), noise(2, 2, 4, 3), noise(3, 2, 2, 3))
	checkGrad(t, func(in []*G.Node) (*G.Node, error) { return Concat(0, in[0], in[0]) }, noise(4, 3))

	g := G.NewGraph()
	x, z := Input(g, "x", tensor.Float32, 2, 3), Input(g, "z", tensor.Float32, 3, 2)
	i := Input(g, "i", tensor.Int64, 2, 3)
	for name, f := range map[string]func() (*G.Node, error){
		"shapes":    func() (*G.Node, error) { return Concat(0, x, z) },
		"types":     func() (*G.Node, error) { return Concat(0, x, i) },
		"axis":      func() (*G.Node, error) { return Concat(2, x, x) },
		"no inputs": func() (*G.Node, error) { return Concat(0) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestLargeTransposesMatchSmallSteps(t *testing.T) {
	// Against element-wise arithmetic on indices, at sizes that are tiled and
	// split between threads.
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		shape := []int{1 + rng.IntN(5), 1 + rng.IntN(90), 1 + rng.IntN(90), 1 + rng.IntN(5)}
		perm := rng.Perm(4)
		f, _ := counting(shape...)
		y, dims := forward(t, one(func(x *G.Node) (*G.Node, error) { return Transpose(x, perm) }), f)
		var strides [4]int
		for k, n := 3, 1; k >= 0; k-- {
			strides[k] = n
			n *= shape[k]
		}
		for i, got := range y.F {
			want, rest := 0, i
			for k := 3; k >= 0; k-- {
				want += rest % dims[k] * strides[perm[k]]
				rest /= dims[k]
			}
			if got != float32(want) {
				t.Fatalf("%v by %v: element %d: got %v, want %d", shape, perm, i, got, want)
			}
		}
	}
}

func TestTooManyAxes(t *testing.T) {
	shape := slices.Repeat([]int{1}, 33)
	x := Input(G.NewGraph(), "x", tensor.Float32, shape...)
	if _, err := Relu(x); err == nil {
		t.Error("33 axes: got no error")
	}
}
