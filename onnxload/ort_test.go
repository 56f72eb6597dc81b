//go:build ort

package onnxload

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finetune/internal/corpus"
	"finetune/internal/onnxpb"
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

// TestMachineLearningInOnnxRuntime holds operators of ai.onnx.ml to ONNX Runtime.
func TestMachineLearningInOnnxRuntime(t *testing.T) {
	ort.Require(t)
	rows := []any{4, 3}
	one := attr("coefficients", []float32{1, -2, 0.5})
	two := attr("coefficients", []float32{1, -2, 0.5, 0.25, 3, -1})
	classifier := func(attrs ...*onnxpb.AttributeProto) *draft {
		d := mlNode("LinearClassifier", rows, attrs...)
		d.graph.Node[0].Output = names("label", "y")
		return d.output("label")
	}
	cases := map[string]*draft{
		"scaler":       mlNode("Scaler", rows, attr("offset", []float32{1, 2, 3}), attr("scale", []float32{2, 3, 4})),
		"normalize L1": mlNode("Normalizer", rows, attr("norm", "L1")), "normalize L2": mlNode("Normalizer", rows, attr("norm", "L2")),
		"normalize MAX": mlNode("Normalizer", rows, attr("norm", "MAX")),
		"imputer":       mlNode("Imputer", rows, attr("imputed_value_floats", []float32{7, 8, 9}), attr("replaced_value_float", -1.0)),
		"binarizer":     mlNode("Binarizer", rows, attr("threshold", 0.1)),
		"regressor":     mlNode("LinearRegressor", rows, two, attr("intercepts", []float32{1, -1}), attr("targets", 2)),
		"vectorizer":    mlNode("FeatureVectorizer", rows, attr("inputdimensions", []int64{3})),
	}
	for _, post := range []string{"NONE", "LOGISTIC", "SOFTMAX"} {
		cases["two rows "+post] = classifier(two, attr("intercepts", []float32{0.1, -0.1}), attr("classlabels_ints", []int64{4, 9}), attr("post_transform", post))
		cases["one row "+post] = classifier(one, attr("intercepts", []float32{0.1}), attr("classlabels_ints", []int64{4, 9}), attr("post_transform", post))
	}
	for name, weights := range map[string][]float32{"positive": {0.2, 0.9}, "negative": {-0.2, 0.9}} {
		d := mlNode("TreeEnsembleClassifier", rows, attr("nodes_treeids", []int64{0, 0, 0}), attr("nodes_nodeids", []int64{0, 1, 2}),
			attr("nodes_featureids", []int64{1, 0, 0}), attr("nodes_values", []float32{0.1, 0, 0}), attr("nodes_modes", []string{"BRANCH_LT", "LEAF", "LEAF"}),
			attr("nodes_truenodeids", []int64{1, 0, 0}), attr("nodes_falsenodeids", []int64{2, 0, 0}), attr("class_treeids", []int64{0, 0}),
			attr("class_nodeids", []int64{1, 2}), attr("class_ids", []int64{0, 0}), attr("class_weights", weights), attr("classlabels_int64s", []int64{4, 9}))
		d.graph.Node[0].Output = names("label", "y")
		cases["tree of "+name+" weights"] = d.output("label")
	}
	x := ort.Tensor{Shape: []int{4, 3}, F: []float32{0.5, -1, 2, 0, 0, 0, -0.3, 0.7, -1, 3, 0.2, 0.1}}
	for name, d := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := os.WriteFile(path, d.file(t), 0o666); err != nil {
				t.Fatal(err)
			}
			want, err := ort.Run(path, map[string]ort.Tensor{"x": x})
			if err != nil {
				t.Fatal(err)
			}
			m, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range mlRun(t, m, op.Buffer{F: x.F}) {
				w := want[m.Outputs[i].Name]
				if !slices.Equal(got.I, w.I) || ort.Difference(got.F, w.F) > 1e-6 {
					t.Errorf("output %q: got %v%v, want %v%v", m.Outputs[i].Name, got.F, got.I, w.F, w.I)
				}
			}
		})
	}
}
