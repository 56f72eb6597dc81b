package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"finetune/internal/corpus"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// gradientsOf returns the loss and the gradients of the given examples.
func gradientsOf(t *testing.T, m *onnxload.Model, l *data.Loader, cfg Config, idx ...int) (float64, map[string][]float32) {
	t.Helper()
	n, err := newNetwork(m, l, cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := n.gradients(context.Background(), idx, 1)
	if err != nil {
		t.Fatal(err)
	}
	grads := map[string][]float32{}
	for _, p := range n.trainable {
		grads[p.Name] = slices.Clone(p.Grad)
	}
	return loss, grads
}

// largest is the largest magnitude in x.
func largest(x []float32) (top float64) {
	for _, v := range x {
		top = max(top, math.Abs(float64(v)))
	}
	return top
}

// compareGradients returns the largest difference of any parameter, relative to
// the largest element of its gradient. A gradient that is nothing but rounding
// errors beside the others, as that of a key's bias in attention, is measured
// by those.
func compareGradients(t *testing.T, name string, got, want map[string][]float32, tolerance float64) (worst float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: got gradients of %d parameters, want %d", name, len(got), len(want))
	}
	top := 0.0
	for _, w := range want {
		top = max(top, largest(w))
	}
	for p, w := range want {
		off := make([]float32, len(w))
		for i := range w {
			off[i] = got[p][i] - w[i]
		}
		d := largest(off) / max(largest(w), 1e-2*top)
		if !(d <= tolerance) {
			t.Errorf("%s: gradient of %s differs by %.2g, want at most %g", name, p, d, tolerance)
		}
		worst = max(worst, d)
	}
	return worst
}

func TestMicroBatches(t *testing.T) {
	l := labelled(20, 3, 6).loader(t)
	idx := []int{3, 1, 4, 15, 9, 2, 6}
	cfg := DefaultConfig()
	cfg.Batch = len(idx)
	wantLoss, want := gradientsOf(t, mlp().model(t), l, cfg, idx...)
	for _, micro := range []int{1, 2, 3, 6, 7, 100} {
		cfg.MicroBatch = micro
		loss, got := gradientsOf(t, mlp().model(t), l, cfg, idx...)
		if math.Abs(loss-wantLoss) > 1e-6 {
			t.Errorf("micro-batches of %d: got loss %v, want %v", micro, loss, wantLoss)
		}
		compareGradients(t, fmt.Sprintf("micro-batches of %d", micro), got, want, 1e-6)
	}
}

// Each chunk drops other elements than the one before, or a micro-batch of one
// would see a single mask for the whole batch. So does each step.
func TestDropoutDiffers(t *testing.T) {
	l := numbered(2, 16, 16).loader(t)
	copy(l.Source().(*examples).x[1][0], l.Source().(*examples).x[0][0])
	m := newDraft().input("x", -1, 16).fill("scale", 1, 16).node("Mul", "scaled", "x", "scale").
		node("Dropout", "y", "scaled").output("y", -1, 16).model(t)
	param(t, m, "scale").Trainable = true
	cfg := DefaultConfig()
	cfg.Batch, cfg.MicroBatch = 2, 1
	_, first := gradientsOf(t, m, l, cfg, 0, 1)
	kept := 0
	for _, g := range first["scale"] {
		if g != 0 {
			kept++
		}
	}
	// Of sixteen elements, two masks leave a quarter without a gradient, one half.
	if kept < 10 {
		t.Errorf("got %d of 16 elements kept by one of two chunks, want about 12", kept)
	}
	n, err := newNetwork(m, l, cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	for step, same := range map[int]bool{1: true, 2: false} {
		if _, err := n.gradients(context.Background(), []int{0, 1}, step); err != nil {
			t.Fatal(err)
		}
		if got := slices.Equal(param(t, m, "scale").Grad, first["scale"]); got != same {
			t.Errorf("step %d: the gradient of step 1 is %v, want %v", step, got, same)
		}
	}
}

// firstExample is a model that has one example at a time and no way around it:
// it takes the first row of its input and ignores all others.
func firstExample() *draft {
	return newDraft().input("x", 1, 6).ints("zero", 0).node("Gather", "row", "x", "zero").attr("axis", 0).
		dense("fc1", "row", 6, 16).node("Relu", "act", "fc1").
		dense("fc2", "act", 16, 3).output("fc2", 1, 3)
}

func TestSingleExamples(t *testing.T) {
	l := labelled(20, 3, 6).loader(t)
	idx := []int{3, 1, 4, 15, 9, 2, 6}
	cfg := DefaultConfig()
	cfg.Batch = len(idx)
	wantLoss, want := gradientsOf(t, mlp().model(t), l, cfg, idx...)

	var notes []string
	cfg.Observe = func(e Event) { notes = append(notes, fmt.Sprint(e.Kind, ": ", e.Text)) }
	loss, got := gradientsOf(t, firstExample().model(t), l, cfg, idx...)
	if math.Abs(loss-wantLoss) > 1e-6 {
		t.Errorf("got loss %v, want %v", loss, wantLoss)
	}
	compareGradients(t, "single examples", got, want, 1e-6)
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "note: the model's batch of 1 cannot be changed") || !strings.Contains(notes[0], `"fc2"`) {
		t.Errorf("got notes %q, want one that the batch cannot be changed, and why", notes)
	}

	// The whole run, with its last smaller batch and the held-out examples.
	cfg.Observe = nil
	m, like := firstExample().model(t), mlp().model(t)
	result, said := mustRun(t, m, l, l, cfg)
	wanted, _ := mustRun(t, like, l, l, cfg)
	if math.Abs(result.After.Loss-wanted.After.Loss) > 1e-4 {
		t.Errorf("got loss %v after training, want %v", result.After.Loss, wanted.After.Loss)
	}
	if len(said) != 1 {
		t.Errorf("got %q, want one note, not another one for the held-out examples", said)
	}
}

// pairs normalises over the two examples of its batch.
func pairs() *draft {
	return newDraft().input("x", 2, 6).node("Softmax", "mixed", "x").attr("axis", 0).
		dense("fc", "mixed", 6, 3).output("fc", 2, 3)
}

func TestDeclaredBatchStays(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Batch = 4
	m := pairs().model(t)
	_, said := mustRun(t, m, labelled(10, 3, 6).loader(t), labelled(6, 3, 6).loader(t), cfg)
	if len(said) != 1 || !strings.Contains(said[0], "batch of 2 cannot be changed") {
		t.Errorf("got %q, want one note", said)
	}
	for _, test := range []struct {
		batch, examples, held int
		want                  string
	}{
		{3, 12, 2, "takes exactly 2 examples at a time, and 3 are to be run"},
		{4, 11, 2, "takes exactly 2 examples at a time, and 3 are to be run"},
		{4, 12, 5, "takes exactly 2 examples at a time, and 5 are to be run"},
		{4, 1, 2, "takes exactly 2 examples at a time, and 1 are to be run"},
	} {
		cfg.Batch = test.batch
		m := pairs().model(t)
		before := values(m)
		_, err := Run(context.Background(), m, labelled(test.examples, 3, 6).loader(t), labelled(test.held, 3, 6).loader(t), cfg)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("batches of %d of %d examples, %d held out: got %v, want %q", test.batch, test.examples, test.held, err, test.want)
		}
		if !equalValues(values(m), before) {
			t.Errorf("batches of %d of %d examples: the model was changed", test.batch, test.examples)
		}
	}

	// The batch that is declared needs no lifting, but the rest of an epoch does.
	cfg.Batch = 2
	if _, err := Run(context.Background(), pairs().model(t), labelled(5, 3, 6).loader(t), nil, cfg); err == nil {
		t.Error("5 examples in batches of 2: got no error")
	}
	mustRun(t, pairs().model(t), labelled(6, 3, 6).loader(t), nil, cfg)
}

func TestChunks(t *testing.T) {
	for _, test := range []struct {
		limit   int
		batches []int
		want    []int
	}{
		{64, []int{64, 13}, []int{64, 13}},
		{64, []int{64}, []int{64}},
		{16, []int{64, 13}, []int{16, 13}},
		{16, []int{40, 24}, []int{16, 8}},
		{16, []int{40, 25}, []int{16, 8, 9}},
		{1, []int{40, 25}, []int{1}},
	} {
		if got := chunks(test.limit, test.batches); !slices.Equal(got, test.want) {
			t.Errorf("batches %v in chunks of %d: got %v, want %v", test.batches, test.limit, got, test.want)
		}
	}
}

// TestLiftedGradients trains real models that were exported for one example, or
// whose batch is open, on a batch: the gradient is the mean of the examples' own.
func TestLiftedGradients(t *testing.T) {
	for _, name := range []string{
		"mnist-8", "mnist-12", "mnist_cnn_torch11", "iris_mlp_torch23", "mnist_self_attention_tf2onnx", "cifar_cnn_wide_kw",
	} {
		t.Run(name, func(t *testing.T) {
			path := corpus.Path(t, "models/"+name+".onnx")
			cfg := DefaultConfig()
			cfg.Batch = 5
			var loss [2]float64
			var grads [2]map[string][]float32
			for i, micro := range []int{0, 1} {
				m, err := onnxload.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				l := randomExamples(m, cfg.Batch).loader(t)
				cfg.MicroBatch = micro
				cfg.Observe = func(e Event) {
					if strings.Contains(e.Text, "cannot be changed") {
						t.Errorf("got note %q, want a batch that is lifted", e.Text)
					}
				}
				loss[i], grads[i] = gradientsOf(t, m, l, cfg, 0, 1, 2, 3, 4)
			}
			if math.Abs(loss[0]-loss[1]) > 1e-5*loss[1] {
				t.Errorf("got loss %v, want %v", loss[0], loss[1])
			}
			worst := compareGradients(t, name, grads[0], grads[1], 1e-5)
			t.Logf("%d parameters, largest difference %.2g", len(grads[0]), worst)
		})
	}
}

// randomExamples are noise, in the shape of m's first input, with labels below
// three.
func randomExamples(m *onnxload.Model, n int) *examples {
	var shape []int
	for _, d := range m.Inputs[0].Dims[1:] {
		shape = append(shape, d.Size)
	}
	e := &examples{fields: []data.Field{{Name: m.Inputs[0].Name, Shape: shape}}, target: data.Target{Labels: true, Classes: 3}}
	rng := rand.New(rand.NewPCG(1, 1))
	for range n {
		x := make([]float32, e.fields[0].Size())
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		e.x, e.y = append(e.x, [][]float32{x}), append(e.y, []float32{float32(rng.IntN(3))})
	}
	return e
}

// TestWholeBatchInOneRun is what all others rest on: plain descent on a batch is
// one update by its mean gradient.
func TestWholeBatchInOneRun(t *testing.T) {
	l := labelled(7, 3, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.Schedule = 1, 7, "constant"
	cfg.Optim = optim.Default("sgd")
	cfg.Optim.LR = optim.Set(0.5)
	_, grads := gradientsOf(t, mlp().model(t), l, cfg, data.Order(7, 0, 0)...)
	m := mlp().model(t)
	before := values(m)
	mustRun(t, m, l, nil, cfg)
	for i, p := range m.Params {
		for k, v := range p.Value {
			if want := before[i][k] - float32(0.5*grads[p.Name][k]); v != want {
				t.Fatalf("%s[%d]: got %v, want %v", p.Name, k, v, want)
			}
		}
	}
}
