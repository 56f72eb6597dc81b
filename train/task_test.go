package train

import (
	"context"
	"math"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/train/data"
)

// lossOf is the loss and, where there are classes, the accuracy of a model that
// has not been trained.
func lossOf(t *testing.T, m *onnxload.Model, e *examples, cfg Config) Metrics {
	t.Helper()
	got, err := Evaluate(context.Background(), m, e.loader(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestActivationIsSkipped trains a model that ends in an activation as the one
// that ends before it: gradients and loss are the same, to the bit.
func TestActivationIsSkipped(t *testing.T) {
	l := labelled(7, 3, 6).loader(t)
	cfg := DefaultConfig()
	loss, want := gradientsOf(t, mlp().model(t), l, cfg, 0, 1, 2, 3, 4, 5, 6)
	ends := map[string]func(*draft) *draft{
		"softmax":     func(d *draft) *draft { return d.node("Softmax", "y", "fc2") },
		"log-softmax": func(d *draft) *draft { return d.node("LogSoftmax", "y", "fc2") },
		"sigmoid":     func(d *draft) *draft { return d.node("Sigmoid", "y", "fc2") },
		"softmax and views": func(d *draft) *draft {
			return d.ints("axis", 1).node("Softmax", "p", "fc2").node("Unsqueeze", "u", "p", "axis").node("Identity", "y", "u")
		},
	}
	for name, end := range ends {
		d := end(mlp())
		d.graph.Output = nil
		got, grads := gradientsOf(t, d.output("y").model(t), l, cfg, 0, 1, 2, 3, 4, 5, 6)
		if got != loss {
			t.Errorf("%s: got loss %v, want %v", name, got, loss)
		}
		compareGradients(t, name, grads, want, 0)
	}

	// Under a squared error the activation counts.
	d := ends["sigmoid"](mlp())
	d.graph.Output = nil
	targets := numbered(7, 3, 6)
	with := lossOf(t, d.output("y").model(t), targets, cfg)
	without := lossOf(t, mlp().model(t), targets, cfg)
	if with.Loss == without.Loss {
		t.Errorf("mse behind a sigmoid: got %v, the same as without it", with.Loss)
	}
}

// TestSingleScore holds the loss and the gradient of a model with one output to
// the binary cross-entropy of its sigmoid.
func TestSingleScore(t *testing.T) {
	for _, end := range []string{"", "Sigmoid", "Squeeze"} {
		d := newDraft().input("x", -1, 6).dense("fc", "x", 6, 1).ints("axis", 1)
		out := "fc"
		switch end {
		case "Sigmoid":
			out = "p"
			d.node(end, out, "fc")
		case "Squeeze": // one number an example, of shape (N)
			out = "s"
			d.node(end, out, "fc", "axis")
		}
		m := d.output(out).model(t)
		w, b := param(t, m, "fc.weight"), param(t, m, "fc.bias")
		src := labelled(9, 2, 6)
		loss, right := 0.0, 0.0
		grad := make([]float32, 6)
		for i, x := range src.x {
			s, y := float64(b.Value[0]), float64(src.y[i][0])
			for k, v := range x[0] {
				s += float64(v) * float64(w.Value[k])
			}
			p := 1 / (1 + math.Exp(-s))
			loss -= (y*math.Log(p) + (1-y)*math.Log(1-p)) / 9
			for k, v := range x[0] {
				grad[k] += float32((p - y) * float64(v) / 9)
			}
			if (p > 0.5) == (y == 1) {
				right++
			}
		}
		got := lossOf(t, m, src, DefaultConfig())
		if math.Abs(got.Loss-loss) > 1e-6 || *got.Accuracy != right/9 {
			t.Errorf("ends in %q: got loss %v, accuracy %v, want %v, %v", end, got.Loss, *got.Accuracy, loss, right/9)
		}
		_, grads := gradientsOf(t, m, src.loader(t), DefaultConfig(), 0, 1, 2, 3, 4, 5, 6, 7, 8)
		compareGradients(t, "single score", map[string][]float32{"fc.weight": grads["fc.weight"]}, map[string][]float32{"fc.weight": grad}, 1e-5)
	}
}

// TestMSE holds loss and gradient to the formula, the mean over all elements.
func TestMSE(t *testing.T) {
	src := numbered(9, 3, 6)
	m := newDraft().input("x", -1, 6).dense("fc", "x", 6, 3).output("fc", -1, 3).model(t)
	w, b := param(t, m, "fc.weight"), param(t, m, "fc.bias")
	loss := 0.0
	grad := make([]float32, len(w.Value))
	for i, x := range src.x {
		for j := range 3 {
			off := float64(b.Value[j]) - float64(src.y[i][j])
			for k, v := range x[0] {
				off += float64(v) * float64(w.Value[k*3+j])
			}
			loss += off * off / 27
			for k, v := range x[0] {
				grad[k*3+j] += float32(2 * off * float64(v) / 27)
			}
		}
	}
	got := lossOf(t, m, src, DefaultConfig())
	if math.Abs(got.Loss-loss) > 1e-6*loss || got.Accuracy != nil {
		t.Errorf("got loss %v, accuracy %v, want loss %v and no accuracy", got.Loss, got.Accuracy, loss)
	}
	_, grads := gradientsOf(t, m, src.loader(t), DefaultConfig(), 0, 1, 2, 3, 4, 5, 6, 7, 8)
	compareGradients(t, "mse", map[string][]float32{"fc.weight": grads["fc.weight"]}, map[string][]float32{"fc.weight": grad}, 1e-5)
}

// TestLabelPerStep trains a score per step, with the classes on either side of
// the steps, which is the same loss if the values are.
func TestLabelPerStep(t *testing.T) {
	src := labelled(5, 3, 6)
	src.target.Shape = []int{4}
	for i := range src.y {
		src.y[i] = []float32{float32(i % 3), 2, 0, float32((i + 1) % 3)}
	}
	last := newDraft().input("x", -1, 6).dense("fc", "x", 6, 12).ints("steps", -1, 4, 3).node("Reshape", "y", "fc", "steps").
		output("y", -1, 4, 3).model(t)
	loss := 0.0
	w, b := param(t, last, "fc.weight"), param(t, last, "fc.bias")
	for i, x := range src.x {
		for step := range 4 {
			sum, label := 0.0, 0.0
			for c := range 3 {
				s := float64(b.Value[step*3+c])
				for k, v := range x[0] {
					s += float64(v) * float64(w.Value[k*12+step*3+c])
				}
				sum += math.Exp(s)
				if c == int(src.y[i][step]) {
					label = s
				}
			}
			loss += (math.Log(sum) - label) / 20
		}
	}
	got := lossOf(t, last, src, DefaultConfig())
	if math.Abs(got.Loss-loss) > 1e-6 {
		t.Errorf("classes last: got loss %v, want %v", got.Loss, loss)
	}
	for _, end := range []string{"", "Softmax"} {
		d := newDraft().input("x", -1, 6).dense("fc", "x", 6, 12).ints("steps", -1, 4, 3).node("Reshape", "r", "fc", "steps").
			node("Transpose", "y", "r").attr("perm", []int64{0, 2, 1})
		out := "y"
		if end != "" {
			d.node(end, "p", "y").attr("axis", 1)
			out = "p"
		}
		second := lossOf(t, d.output(out, -1, 3, 4).model(t), src, DefaultConfig())
		if second.Loss != got.Loss || *second.Accuracy != *got.Accuracy {
			t.Errorf("classes second, ends in %q: got %v, %v, want %v, %v", end, second.Loss, *second.Accuracy, got.Loss, *got.Accuracy)
		}
	}
}

// TestClassAxis lists shapes for four examples.
func TestClassAxis(t *testing.T) {
	for _, test := range []struct {
		shape      []int
		axis, rows int
		want       int
	}{
		{[]int{4, 10}, -1, 4, 1},
		{[]int{4, 10}, 1, 4, 1},
		{[]int{4, 1, 10}, -1, 4, 2},
		{[]int{4, 10, 1, 1}, -1, 4, 1},
		{[]int{4, 10, 1, 1}, 1, 4, 1},
		{[]int{4, 7, 10}, -1, 28, 2},
		{[]int{4, 10, 7}, -1, 28, 1},
		{[]int{4, 10, 7}, 1, 28, 1},
		{[]int{4, 7, 7}, -1, 28, 2},
		{[]int{4, 7, 7}, 1, 28, 1},
		{[]int{4, 3, 5, 5}, -1, 100, 1},
		{[]int{4, 5, 5, 3}, -1, 100, 3},
		{[]int{4}, -1, 4, 1},
		{[]int{4, 1}, -1, 4, 2},
		{[]int{10}, -1, 1, 0},
		{[]int{4, 10}, -1, 8, -1},
		{[]int{8, 10}, -1, 4, -1},
		{[]int{4, 2, 5}, -1, 4, -1},
		{[]int{}, -1, 4, -1},
	} {
		if got := classAxis(onnxload.Port{Shape: test.shape, Axis: test.axis}, test.rows); got != test.want {
			t.Errorf("shape %v, softmax along %d, %d labels: got axis %d, want %d", test.shape, test.axis, test.rows, got, test.want)
		}
	}
}

// TestMisfits are data that the model cannot learn from, each with what the
// message has to say.
func TestMisfits(t *testing.T) {
	beyond := labelled(20, 3, 6)
	beyond.target.Classes = 4
	beyond.y[13][0] = 3
	two := labelled(20, 3, 6)
	two.fields = append(two.fields, data.Field{Name: "other", Shape: []int{2}})
	chess := newDraft().input("x", -1, 3, 8, 8).node("Flatten", "flat", "x").dense("fc", "flat", 192, 3).output("fc", -1, 3)
	tests := []struct {
		name  string
		draft *draft
		data  *examples
		loss  Loss
		want  []string
	}{
		{"numbers for cross-entropy", mlp(), numbered(20, 1, 6), CrossEntropy, []string{"cross-entropy needs class labels"}},
		{"numbers for scores", mlp(), numbered(20, 1, 6), Auto, []string{"example 0", `output "fc2"`, "expected 3", "(20, 3)", "found 1"}},
		{"labels for a squared error", mlp(), labelled(20, 3, 6), MSE, []string{`output "fc2"`, "expected 3", "found 1"}},
		{"label beyond the classes", mlp(), beyond, Auto, []string{"example 13", "0 to 2", "found 3"}},
		{"labels for one score", newDraft().input("x", -1, 6).dense("fc", "x", 6, 1).output("fc", -1, 1), labelled(20, 3, 6), Auto,
			[]string{"example 2", "2 classes"}},
		{"labels for too many rows", newDraft().input("x", -1, 6).ints("rows", -1, 3).node("Reshape", "r", "x", "rows").
			dense("fc", "r", 3, 2).output("fc", -1, 2), labelled(20, 2, 6), Auto, []string{"output", `"fc"`, "(40, 2)", "20 examples"}},
		{"other size", mlp(), labelled(20, 3, 5), Auto, []string{`input "x"`, "(6)", "(5)", "example 0"}},
		{"other layout", chess, labelled(20, 3, 8, 8, 3), Auto, []string{`input "x"`, "(3, 8, 8)", "(8, 8, 3)"}},
		{"two fields of other names", newDraft().input("y", -1, 6).dense("fc", "y", 6, 3).output("fc", -1, 3), two, Auto,
			[]string{`input "y" has no data`, `"x"`, `"other"`}},
		{"an input beside the batch", newDraft().input("x", -1, 6).input("other", 5, 2).dense("fc", "x", 6, 3).dense("fc2", "other", 2, 3).
			ints("axis", 0).node("ReduceMean", "mean", "fc2").attr("keepdims", 0).
			node("Add", "y", "fc", "mean").output("y", -1, 3), two, Auto, []string{`input "other"`, "[5 2]"}},
	}
	for _, test := range tests {
		for i := range test.data.x {
			for len(test.data.x[i]) < len(test.data.fields) {
				test.data.x[i] = append(test.data.x[i], make([]float32, 2))
			}
		}
		cfg := DefaultConfig()
		cfg.Loss = test.loss
		_, err := Run(context.Background(), test.draft.model(t), test.data.loader(t), nil, cfg)
		if err == nil {
			t.Errorf("%s: got no error", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", test.name, err, want)
			}
		}
	}
}

// TestFits are shapes that differ and mean the same.
func TestFits(t *testing.T) {
	image := newDraft().input("x", -1, 1, 8, 8).node("Flatten", "flat", "x").dense("fc", "flat", 64, 3).output("fc", -1, 3)
	flat := newDraft().input("x", -1, 64).dense("fc", "x", 64, 3).output("fc", -1, 3)
	want := -1.0
	for _, d := range []*draft{image, flat} {
		for _, shape := range [][]int{{1, 8, 8}, {8, 8, 1}, {8, 8}, {64}, {1, 64}} {
			src := labelled(5, 3, shape...)
			m := d.model(t)
			copy(param(t, m, "fc.weight").Value, param(t, flat.model(t), "fc.weight").Value)
			got := lossOf(t, m, src, DefaultConfig()).Loss
			if want < 0 {
				want = got
			}
			if got != want {
				t.Errorf("shape %v: got loss %v, want %v", shape, got, want)
			}
		}
	}
}
