package train

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"finetune/internal/corpus"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func openModel(t *testing.T, path string) *onnxload.Model {
	t.Helper()
	m, err := onnxload.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mnist is the training half, as 0 to 1.
func mnist(t *testing.T) *data.Loader {
	t.Helper()
	src, err := data.Open(corpus.Path(t, "datasets/mnist"), data.Options{Split: "train"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := data.NewLoader(src, data.LoaderOptions{Scale: 1.0 / 255})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestBatchNormGradients holds a real model with two normalisations to PyTorch,
// under both modes: see testdata/batchnorm.py.
func TestBatchNormGradients(t *testing.T) {
	path := corpus.Path(t, "models/mnist_cnn_bn_torch20.onnx")
	l := mnist(t)
	var recorded map[string]struct {
		Loss      float64
		Gradients map[string]struct {
			Norm  float64
			First []float64
		}
		Running map[string][]float64
	}
	readJSON(t, "testdata/mnist_cnn_bn_torch20.json", &recorded)
	const batch, tolerance = 32, 1e-4
	idx := make([]int, batch)
	for i := range idx {
		idx[i] = i
	}
	for mode, want := range recorded {
		m := openModel(t, path)
		cfg := DefaultConfig()
		cfg.Batch, cfg.BatchNorm = batch, onnxload.BatchNormMode(mode)
		loss, grads := gradientsOf(t, m, l, cfg, idx...)
		worst := 0.0
		compare := func(what string, got, want, size float64) {
			t.Helper()
			d := math.Abs(got-want) / size
			if !(d <= tolerance) {
				t.Errorf("%s: %s: got %v, want %v", mode, what, got, want)
			}
			worst = max(worst, d)
		}
		compare("loss", loss, want.Loss, want.Loss)
		if len(grads) != len(want.Gradients) {
			t.Errorf("%s: got %d gradients, want %d", mode, len(grads), len(want.Gradients))
		}
		for name, w := range want.Gradients {
			sum := 0.0
			for _, g := range grads[name] {
				sum += float64(g) * float64(g)
			}
			// A bias before a normalisation by the batch itself has no gradient but
			// for rounding errors.
			size := max(w.Norm, 1e-4)
			compare(name+", norm", math.Sqrt(sum), w.Norm, size)
			for i, v := range w.First {
				compare(name+", first", float64(grads[name][i]), v, size)
			}
		}
		for name, first := range want.Running {
			for i, v := range first {
				compare(name, float64(param(t, m, name).Value[i]), v, math.Abs(v))
			}
		}
		t.Logf("%s: loss, %d gradients, %d running statistics: largest relative difference %.2g", mode, len(grads), len(want.Running), worst)
	}
}

// readNPY reads a float32 array of NumPy's format 1.
func readNPY(t *testing.T, path string) []float32 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw = raw[10+int(binary.LittleEndian.Uint16(raw[8:])):]
	x := make([]float32, len(raw)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return x
}

// TestOneStepOfAdamW is ONNX Runtime's own training test: a perceptron, two
// examples, the gradients, and the loss after one update by PyTorch's AdamW.
func TestOneStepOfAdamW(t *testing.T) {
	dir := corpus.Path(t, "golden/ort-mlp") + "/"
	src, err := data.Open(dir+"input.npy", data.Options{Labels: dir + "labels.npy"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := data.NewLoader(src, data.LoaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.Schedule = 1, 2, "constant"
	cfg.Optim.LR, cfg.Optim.Eps, cfg.Optim.WeightDecay = optim.Set(1e-3), optim.Set(1e-6), optim.Set(0)
	path := dir + "mlp_784_500_10_init.onnx"

	_, grads := gradientsOf(t, openModel(t, path), l, cfg, 0, 1)
	want := map[string][]float32{}
	for name := range grads {
		want[name] = readNPY(t, dir+"grad0."+name+".npy")
	}
	worst := compareGradients(t, "first batch", grads, want, 1e-5)

	result, err := Run(context.Background(), openModel(t, path), l, l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	before, after := result.Before.Loss, result.After.Loss
	if math.Abs(before-2.1786249) > 1e-5*before || math.Abs(after-0.35832715) > 1e-5*after {
		t.Errorf("got loss %.7f before and %.7f after, want 2.1786249 and 0.3583272", before, after)
	}
	t.Logf("gradients: largest difference %.2g; loss %.7f before, %.8f after: off by %.2g and %.2g",
		worst, before, after, math.Abs(before-2.1786249)/before, math.Abs(after-0.35832715)/after)
}
