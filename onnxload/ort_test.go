//go:build ort

package onnxload

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finetune/internal/corpus"
	"finetune/internal/op"
	"finetune/internal/ort"
)

// TestOnnxRuntime holds the outputs of real models to those of ONNX Runtime, on
// random inputs.
func TestOnnxRuntime(t *testing.T) {
	ort.Require(t)
	files, err := filepath.Glob(filepath.Join(corpus.Path(t, "models"), "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".onnx")
		if slices.Contains(notLowered, name) || name == quantized || name == "resnet18_dynamo_external_NOWEIGHTS" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m, err := Open(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg := sizes(m)
			cfg.Batch = max(1, m.BatchDim())
			prog, err := m.Lower(cfg)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			var mine []op.Buffer
			theirs := map[string]ort.Tensor{}
			for _, p := range prog.Inputs {
				b := randomInput(rng, p)
				mine = append(mine, b)
				theirs[p.Name] = ort.Tensor{Shape: p.Shape, F: b.F, I: b.I}
			}
			got, err := prog.evaluate(mine)
			if err != nil {
				t.Fatal(err)
			}
			want, err := ort.Run(file, theirs)
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 1e-4
			if strings.Contains(name, "fp16") {
				tolerance = 1e-2 // ONNX Runtime computes in float16
			}
			for i, p := range prog.Outputs {
				w, ok := want[p.Name]
				if !ok {
					continue // a list of maps
				}
				if !slices.Equal(p.Shape, w.Shape) || !slices.Equal(got[i].I, w.I) {
					t.Errorf("output %q: got shape %v, want %v", p.Name, p.Shape, w.Shape)
					continue
				}
				d := ort.Difference(got[i].F, w.F)
				t.Logf("output %q %v: largest difference %.2g", p.Name, p.Shape, d)
				if !(d <= tolerance) {
					t.Errorf("output %q: ONNX Runtime differs from us by %v, want at most %v", p.Name, d, tolerance)
				}
			}
		})
	}
}
