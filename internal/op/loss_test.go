package op

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestCrossEntropy(t *testing.T) {
	logits := noise(1, 7, 5)
	labels := intLeaf([]int{7}, 0, 4, 2, 2, 1, 3, 0)
	want := 0.0
	for r, label := range labels.data.I {
		sum := 0.0
		for _, v := range logits.data.F[r*5 : r*5+5] {
			sum += math.Exp(float64(v))
		}
		want += math.Log(sum) - float64(logits.data.F[r*5+int(label)])
	}
	y, shape := forward(t, two(CrossEntropy), logits, labels)
	wantShape(t, shape)
	wantFloats(t, y, []float32{float32(want / 7)}, 1e-6)
	checkGrad(t, two(CrossEntropy), logits, labels)
}

func TestCrossEntropyOfLargeLogits(t *testing.T) {
	y, _ := forward(t, two(CrossEntropy), floatLeaf([]int{2, 2}, 1000, -1000, 1000, -1000), intLeaf([]int{2}, 0, 1))
	wantFloats(t, y, []float32{1000}, 0)
}

func TestLabelOutOfRange(t *testing.T) {
	for label, want := range map[int64]string{
		3:  "CrossEntropy: label 3 of row 1 is outside [0, 2]",
		-1: "CrossEntropy: label -1 of row 1 is outside [0, 2]",
	} {
		_, out, values := graphOf(t, two(CrossEntropy), []leaf{noise(1, 2, 3), intLeaf([]int{2}, 0, label)})
		if _, err := evaluate(out, values); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func TestMSE(t *testing.T) {
	y, shape := forward(t, two(MSE), floatLeaf([]int{2, 2}, 1, 2, 3, 4), floatLeaf([]int{2, 2}, 1, 0, 6, 5))
	wantShape(t, shape)
	wantFloats(t, y, []float32{14.0 / 4}, 0)
	checkGrad(t, two(MSE), noise(1, 2, 3), noise(2, 2, 3))
}

func TestLossErrors(t *testing.T) {
	g := G.NewGraph()
	f23, f6 := Input(g, "a", tensor.Float32, 2, 3), Input(g, "b", tensor.Float32, 6)
	i2, i3 := Input(g, "c", tensor.Int64, 2), Input(g, "d", tensor.Int64, 3)
	empty, none := Input(g, "e", tensor.Float32, 0, 3), Input(g, "f", tensor.Int64, 0)
	for name, f := range map[string]func() (*G.Node, error){
		"labels of another length": func() (*G.Node, error) { return CrossEntropy(f23, i3) },
		"float32 labels":           func() (*G.Node, error) { return CrossEntropy(f23, f6) },
		"logits of rank 1":         func() (*G.Node, error) { return CrossEntropy(f6, i2) },
		"int64 logits":             func() (*G.Node, error) { return CrossEntropy(i2, i2) },
		"no rows":                  func() (*G.Node, error) { return CrossEntropy(empty, none) },
		"shapes of MSE":            func() (*G.Node, error) { return MSE(f23, f6) },
		"types of MSE":             func() (*G.Node, error) { return MSE(i2, i2) },
		"no elements of MSE":       func() (*G.Node, error) { return MSE(empty, empty) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
