package op

import (
	"fmt"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// two makes a builder of a function of two nodes.
func two(f func(a, b *G.Node) (*G.Node, error)) builder {
	return func(in []*G.Node) (*G.Node, error) { return f(in[0], in[1]) }
}

var arithmetics = []struct {
	name string
	op   func(a, b *G.Node) (*G.Node, error)
	f    func(a, b float32) float32
}{
	{"Add", Add, func(a, b float32) float32 { return a + b }},
	{"Sub", Sub, func(a, b float32) float32 { return a - b }},
	{"Mul", Mul, func(a, b float32) float32 { return a * b }},
	{"Div", Div, func(a, b float32) float32 { return a / b }},
}

func TestArithmeticBroadcasts(t *testing.T) {
	shapes := []struct{ a, b, out []int }{
		{nil, nil, nil},
		{[]int{2, 3}, []int{2, 3}, []int{2, 3}},
		{[]int{2, 3}, nil, []int{2, 3}},
		{nil, []int{2, 3}, []int{2, 3}},
		{[]int{4, 3}, []int{3}, []int{4, 3}},
		{[]int{3}, []int{4, 3}, []int{4, 3}},
		{[]int{2, 3, 2, 2}, []int{3, 1, 1}, []int{2, 3, 2, 2}},
		{[]int{1, 3, 1, 1}, []int{2, 3, 2, 2}, []int{2, 3, 2, 2}},
		{[]int{4, 1}, []int{1, 3}, []int{4, 3}},
		{[]int{2, 1, 3}, []int{4, 1}, []int{2, 4, 3}},
		{[]int{1}, []int{1, 1}, []int{1, 1}},
		{[]int{0, 3}, []int{3}, []int{0, 3}},
	}
	for _, op := range arithmetics {
		for _, s := range shapes {
			t.Run(fmt.Sprint(op.name, s.a, s.b), func(t *testing.T) {
				a, b := noise(1, s.a...), noise(2, s.b...)
				y, shape := forward(t, two(op.op), a, b)
				wantShape(t, shape, s.out...)
				want := make([]float32, tensor.Shape(s.out).TotalSize())
				for i := range want {
					want[i] = op.f(a.data.F[spreadIndex(i, s.out, s.a)], b.data.F[spreadIndex(i, s.out, s.b)])
				}
				wantFloats(t, y, want, 0)
				if len(want) > 0 {
					checkGrad(t, two(op.op), a, b)
				}
			})
		}
	}
}

// spreadIndex is the element of an array of the given shape that repeats at
// element i of out.
func spreadIndex(i int, out, shape []int) int {
	index, stride := 0, 1
	for k := 1; k <= len(out); k++ {
		d := out[len(out)-k]
		if k <= len(shape) && shape[len(shape)-k] > 1 {
			index += i % d * stride
			stride *= d
		}
		i /= d
	}
	return index
}

func TestArithmeticOfInts(t *testing.T) {
	a, b := intLeaf([]int{2, 2}, 7, -7, 8, 9), intLeaf([]int{2}, 2, 3)
	for _, c := range []struct {
		op   func(a, b *G.Node) (*G.Node, error)
		want []int64
	}{
		{Add, []int64{9, -4, 10, 12}},
		{Sub, []int64{5, -10, 6, 6}},
		{Mul, []int64{14, -21, 16, 27}},
		{Div, []int64{3, -2, 4, 3}},
	} {
		y, _ := forward(t, two(c.op), a, b)
		wantInts(t, y, c.want...)
	}
	_, out, values := graphOf(t, two(Div), []leaf{a, intLeaf([]int{2}, 2, 0)})
	if _, err := evaluate(out, values); err == nil || !strings.Contains(err.Error(), "division by zero") {
		t.Errorf("7/0: got error %v, want division by zero", err)
	}
}

func TestArithmeticOfOneNodeTwice(t *testing.T) {
	for _, op := range arithmetics[2:] {
		checkGrad(t, func(in []*G.Node) (*G.Node, error) { return op.op(in[0], in[0]) }, noise(3, 5))
	}
}

func TestArithmeticErrors(t *testing.T) {
	g := G.NewGraph()
	f23, f4 := Input(g, "a", tensor.Float32, 2, 3), Input(g, "b", tensor.Float32, 4)
	i3 := Input(g, "c", tensor.Int64, 3)
	for _, c := range []struct {
		a, b *G.Node
		want string
	}{
		{f23, f4, "Add: shapes (2, 3) and (4) do not broadcast"},
		{f23, i3, "Add: operands of float32 and int64"},
	} {
		if _, err := Add(c.a, c.b); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
}

func TestInPlaceOnlyOverAnOperandOfTheResultsSize(t *testing.T) {
	g := G.NewGraph()
	row, matrix := Input(g, "row", tensor.Float32, 3), Input(g, "matrix", tensor.Float32, 2, 3)
	column := Input(g, "column", tensor.Float32, 2, 1)
	for _, c := range []struct {
		a, b *G.Node
		want Operand
	}{{matrix, row, First}, {row, matrix, Second}, {row, column, None}} {
		y, err := Add(c.a, c.b)
		if err != nil {
			t.Fatal(err)
		}
		if got := y.Op().(*Op).InPlace; got != c.want {
			t.Errorf("%v + %v: got in place over %d, want %d", c.a.Shape(), c.b.Shape(), got, c.want)
		}
	}
}
