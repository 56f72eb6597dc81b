package op

import (
	"fmt"
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestSoftmax(t *testing.T) {
	shape := []int{2, 5, 70} // the last axis is longer than a block of columns
	x := noise(1, shape...)
	for axis, stride := range []int{350, 70, 1} {
		n := shape[axis]
		want, logs := make([]float32, len(x.data.F)), make([]float32, len(x.data.F))
		for i := range want {
			first := i - i/stride%n*stride
			sum := 0.0
			for k := range n {
				sum += math.Exp(float64(x.data.F[first+k*stride]))
			}
			p := math.Exp(float64(x.data.F[i])) / sum
			want[i], logs[i] = float32(p), float32(math.Log(p))
		}
		for _, a := range []int{axis, axis - 3} {
			y, _ := forward(t, one(func(x *G.Node) (*G.Node, error) { return Softmax(x, a) }), x)
			wantFloats(t, y, want, 1e-6)
			y, _ = forward(t, one(func(x *G.Node) (*G.Node, error) { return LogSoftmax(x, a) }), x)
			wantFloats(t, y, logs, 1e-6)
		}
	}
}

func TestSoftmaxGradient(t *testing.T) {
	for axis := range 3 {
		t.Run(fmt.Sprint(axis), func(t *testing.T) {
			x := noise(2, 2, 3, 4)
			checkGrad(t, one(func(x *G.Node) (*G.Node, error) { return Softmax(x, axis) }), x)
			checkGrad(t, one(func(x *G.Node) (*G.Node, error) { return LogSoftmax(x, axis) }), x)
		})
	}
}

func TestSoftmaxOfLargeValues(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, shape := range [][]int{{1, 3}, {3, 1, 1}, {3}} {
		axis := 0
		if shape[0] == 1 {
			axis = 1
		}
		x := floatLeaf(shape, 1000, 998, -inf)
		y, _ := forward(t, one(func(x *G.Node) (*G.Node, error) { return Softmax(x, axis) }), x)
		wantFloats(t, y, []float32{0.880797, 0.11920292, 0}, 1e-6)
		y, _ = forward(t, one(func(x *G.Node) (*G.Node, error) { return LogSoftmax(x, axis) }), x)
		wantFloats(t, y, []float32{-0.12692805, -2.126928, -inf}, 1e-6)
	}
}

func TestSoftmaxErrors(t *testing.T) {
	g := G.NewGraph()
	x, i := Input(g, "x", tensor.Float32, 2, 3), Input(g, "i", tensor.Int64, 2)
	if _, err := Softmax(x, 2); err == nil {
		t.Error("axis 2 of 2: got no error")
	}
	if _, err := LogSoftmax(i, 0); err == nil {
		t.Error("of int64: got no error")
	}
}
