//go:build ort

package export

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"finetune/internal/corpus"
	"finetune/internal/engine"
	"finetune/internal/ort"
	"finetune/onnxload"

	G "gorgonia.org/gorgonia"
)

// ONNX Runtime loads what is exported: unchanged it computes what it did before,
// and with other weights what we compute with them.
func TestOnnxRuntime(t *testing.T) {
	ort.Require(t)
	for _, name := range []string{
		"mnist-8", "mnist-12", "mnist_cnn_torch11", "mnist_cnn_bn_torch20", "audio_genre_mlp_keras2onnx",
		"iris_mlp_torch23", "sine_mlp_keras2onnx", "cifar_cnn_winml", "squeezenet_fp16", "mlp_tiny_gonnx",
	} {
		t.Run(name, func(t *testing.T) {
			path := corpus.Path(t, "models/"+name+".onnx")
			m := open(t, path)
			p, err := m.Lower(onnxload.Config{Batch: max(1, m.BatchDim())})
			if err != nil {
				t.Fatal(err)
			}
			inputs := randomInputs(t, p)
			before, err := ort.Run(path, inputs)
			if err != nil {
				t.Fatal(err)
			}

			same := filepath.Join(t.TempDir(), "same.onnx")
			write(t, same, m, Options{Metadata: map[string]string{"base": name}})
			after, err := ort.Run(same, inputs)
			if err != nil {
				t.Fatal(err)
			}
			for out, want := range before {
				if got := after[out]; !slices.Equal(got.F, want.F) || !slices.Equal(got.I, want.I) {
					t.Errorf("output %q of the unchanged model: got %v, want %v", out, got, want)
				}
			}

			// A little off, as after training; 16-bit floats as they are stored.
			r := rand.New(rand.NewPCG(1, 1))
			for _, p := range m.Params {
				f, _ := formatNamed(p.DType)
				for k := range p.Value {
					if p.Trainable {
						p.Value[k] = f.round(p.Value[k] * (1 + (r.Float32()-0.5)/10))
					}
				}
			}
			changed := filepath.Join(t.TempDir(), "changed.onnx")
			write(t, changed, m, Options{})
			verified(t, m, changed)
			got, err := ort.Run(changed, inputs)
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 1e-4
			if name == "squeezenet_fp16" {
				tolerance = 1e-2 // ONNX Runtime computes in float16
			}
			for out, want := range compute(t, p, inputs) {
				d := ort.Difference(got[out].F, want)
				t.Logf("output %q: %d elements, largest difference %.2g", out, len(want), d)
				if d > tolerance {
					t.Errorf("output %q: ONNX Runtime differs from us by %v, want at most %v", out, d, tolerance)
				}
				if ort.Difference(before[out].F, want) == 0 {
					t.Errorf("output %q: other weights made no difference", out)
				}
			}
		})
	}
}

func randomInputs(t *testing.T, p *onnxload.Program) map[string]ort.Tensor {
	t.Helper()
	r := rand.New(rand.NewPCG(2, 2))
	inputs := map[string]ort.Tensor{}
	for _, in := range p.Inputs {
		if !in.DType.IsFloat() {
			t.Fatalf("input %q is %s", in.Name, in.DType)
		}
		n := 1
		for _, d := range in.Shape {
			n *= d
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = r.Float32()
		}
		inputs[in.Name] = ort.Tensor{Shape: in.Shape, F: x}
	}
	return inputs
}

// compute is what our own engine makes of the inputs.
func compute(t *testing.T, p *onnxload.Program, inputs map[string]ort.Tensor) map[string][]float32 {
	t.Helper()
	var outputs []*G.Node
	for _, out := range p.Outputs {
		outputs = append(outputs, out.Node)
	}
	m, err := engine.Compile(outputs, p.Bind)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range p.Inputs {
		copy(m.Buffer(in.Node).F, inputs[in.Name].F)
	}
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	results := map[string][]float32{}
	for _, out := range p.Outputs {
		results[out.Name] = m.Buffer(out.Node).F
	}
	return results
}
