package op

import (
	"fmt"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// counted is float32 1, 2, 3, …
func counted(shape ...int) leaf {
	v := make([]float32, tensor.Shape(shape).TotalSize())
	for i := range v {
		v[i] = float32(i + 1)
	}
	return floatLeaf(shape, v...)
}

// wantErrors checks that each build fails, and that its error has the words.
func wantErrors(t *testing.T, cases []struct {
	words  string
	build  builder
	inputs []leaf
}) {
	t.Helper()
	for _, c := range cases {
		g := G.NewGraph()
		var in []*G.Node
		for i, l := range c.inputs {
			dt := tensor.Float32
			if l.data.I != nil {
				dt = tensor.Int64
			}
			in = append(in, Input(g, fmt.Sprint("in", i), dt, l.shape...))
		}
		_, err := c.build(in)
		if err == nil {
			t.Errorf("got no error, want one with %q", c.words)
			continue
		}
		for _, word := range strings.Split(c.words, "|") {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("got error %q, want one with %q", err, word)
			}
		}
	}
}

func matMul(transA, transB bool) builder {
	return func(in []*G.Node) (*G.Node, error) { return MatMul(in[0], in[1], transA, transB) }
}

func TestMatMul(t *testing.T) {
	cases := []struct {
		a, b           []int
		transA, transB bool
		shape          []int
		want           []float32
	}{
		{[]int{2, 3}, []int{3, 2}, false, false, []int{2, 2}, []float32{22, 28, 49, 64}},
		{[]int{3, 2}, []int{3, 2}, true, false, []int{2, 2}, []float32{35, 44, 44, 56}},
		{[]int{2, 3}, []int{2, 3}, false, true, []int{2, 2}, []float32{14, 32, 32, 77}},
		{[]int{3, 2}, []int{2, 3}, true, true, []int{2, 2}, []float32{22, 49, 28, 64}},
		{[]int{3}, []int{3}, false, false, nil, []float32{14}},
		{[]int{3}, []int{3, 2}, false, false, []int{2}, []float32{22, 28}},
		{[]int{2, 3}, []int{3}, false, false, []int{2}, []float32{14, 32}},
		{[]int{2, 2, 1}, []int{1, 2}, false, false, []int{2, 2, 2}, []float32{1, 2, 2, 4, 3, 6, 4, 8}},
		{[]int{2, 1, 1, 2}, []int{2, 2, 1}, false, false, []int{2, 2, 1, 1}, []float32{5, 11, 11, 25}},
		{[]int{2, 1, 2}, []int{2}, false, false, []int{2, 1}, []float32{5, 11}},
		{[]int{2}, []int{2, 2, 1}, false, false, []int{2, 1}, []float32{5, 11}},
	}
	for _, c := range cases {
		got, shape := forward(t, matMul(c.transA, c.transB), counted(c.a...), counted(c.b...))
		wantShape(t, shape, c.shape...)
		wantFloats(t, got, c.want, 1e-6)
	}
}

func TestMatMulGrad(t *testing.T) {
	for _, s := range [][2][]int{
		{{3, 4}, {4, 2}},
		{{4}, {4}},
		{{4}, {4, 3}},
		{{3, 4}, {4}},
		{{2, 3, 4}, {4, 2}},
		{{2, 3, 2, 4}, {4, 3}},
		{{2, 4}, {3, 4, 2}},
		{{2, 1, 2, 4}, {3, 4, 2}},
		{{2, 3, 2, 4}, {2, 1, 4, 2}},
		{{1, 2, 3}, {2, 3, 1}},
		{{3}, {2, 3, 2}},
		{{2, 2, 3}, {3}},
	} {
		for flags := range 4 {
			transA, transB := flags&1 != 0, flags&2 != 0
			t.Run(fmt.Sprint(s, transA, transB), func(t *testing.T) {
				a, b := flip(s[0], transA), flip(s[1], transB)
				checkGrad(t, matMul(transA, transB), noise(1, a...), noise(2, b...))
			})
		}
	}
}

// flip swaps the last two axes.
func flip(shape []int, really bool) []int {
	s := append([]int{}, shape...)
	if n := len(s); really && n > 1 {
		s[n-2], s[n-1] = s[n-1], s[n-2]
	}
	return s
}

func TestMatMulErrors(t *testing.T) {
	type cases = []struct {
		words  string
		build  builder
		inputs []leaf
	}
	wantErrors(t, cases{
		{"MatMul|(2, 3)|(2, 3)|inner sizes 3 and 2", matMul(false, false), []leaf{counted(2, 3), counted(2, 3)}},
		{"MatMul|scalar", matMul(false, false), []leaf{counted(), counted(2, 3)}},
		{"MatMul|(2, 1, 2)|(3, 2, 1)|broadcast", matMul(false, false), []leaf{counted(2, 1, 2), counted(3, 2, 1)}},
		{"MatMul|int64", matMul(false, false), []leaf{intLeaf([]int{1, 1}, 1), counted(1, 1)}},
	})
}

func gemm(transA, transB bool, alpha, beta float32) builder {
	return func(in []*G.Node) (*G.Node, error) {
		if len(in) == 2 {
			return Gemm(in[0], in[1], nil, transA, transB, alpha, beta)
		}
		return Gemm(in[0], in[1], in[2], transA, transB, alpha, beta)
	}
}

func TestGemm(t *testing.T) {
	a, b := counted(2, 3), counted(3, 2) // product 22 28 49 64
	got, shape := forward(t, gemm(false, false, 2, 7), a, b)
	wantShape(t, shape, 2, 2)
	wantFloats(t, got, []float32{44, 56, 98, 128}, 1e-6)
	for _, c := range []struct {
		bias []int
		want []float32
	}{
		{nil, []float32{54, 66, 108, 138}},
		{[]int{1}, []float32{54, 66, 108, 138}},
		{[]int{2}, []float32{54, 76, 108, 148}},
		{[]int{1, 2}, []float32{54, 76, 108, 148}},
		{[]int{2, 1}, []float32{54, 66, 118, 148}},
		{[]int{1, 1}, []float32{54, 66, 108, 138}},
		{[]int{2, 2}, []float32{54, 76, 128, 168}},
	} {
		got, _ := forward(t, gemm(false, false, 2, 10), a, b, counted(c.bias...))
		wantFloats(t, got, c.want, 1e-6)
	}
}

func TestGemmGrad(t *testing.T) {
	for flags := range 4 {
		transA, transB := flags&1 != 0, flags&2 != 0
		a, b := flip([]int{3, 2}, transA), flip([]int{2, 4}, transB)
		checkGrad(t, gemm(transA, transB, 0.5, 2), noise(1, a...), noise(2, b...))
		for _, bias := range [][]int{nil, {1}, {4}, {1, 4}, {3, 1}, {3, 4}} {
			t.Run(fmt.Sprint(transA, transB, bias), func(t *testing.T) {
				checkGrad(t, gemm(transA, transB, 0.5, 2), noise(1, a...), noise(2, b...), noise(3, bias...))
			})
		}
	}
}

func TestGemmErrors(t *testing.T) {
	type cases = []struct {
		words  string
		build  builder
		inputs []leaf
	}
	wantErrors(t, cases{
		{"Gemm|(2, 3)|(2, 3)|inner sizes 3 and 2", gemm(false, false, 1, 1), []leaf{counted(2, 3), counted(2, 3)}},
		{"Gemm|want matrices", gemm(false, false, 1, 1), []leaf{counted(2, 3, 1), counted(2, 3)}},
		{"Gemm|(3)|(2, 2)", gemm(false, false, 1, 1), []leaf{counted(2, 3), counted(3, 2), counted(3)}},
		{"Gemm|(1, 1, 2)|(2, 2)", gemm(false, false, 1, 1), []leaf{counted(2, 3), counted(3, 2), counted(1, 1, 2)}},
		{"Gemm|int64", gemm(false, false, 1, 1), []leaf{counted(1, 1), counted(1, 1), intLeaf([]int{1}, 1)}},
	})
}
