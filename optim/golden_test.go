package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"finetune/internal/corpus"
)

// relError is the largest difference between two tensors relative to the largest
// value of want. PyTorch fuses multiplication and addition where the processor
// can, which we never do; a weight that crosses zero keeps the rounding errors of
// the size it had, so each weight's own size is no measure.
func relError(got, want []float32) float64 {
	var top, worst float64
	for i, w := range want {
		top = max(top, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(got[i])-float64(w)))
	}
	if worst == 0 {
		return 0
	}
	return worst / top // NaN if any is: max keeps NaN
}

// trajectories is testdata/golden.json: see golden.py.
type trajectories struct {
	Start map[string][]float32
	Noise map[string][][]float32
	Runs  map[string]map[string][][]float32
}

func TestGolden(t *testing.T) {
	settings := func(texts ...string) Settings {
		s, err := ParseSettings(texts...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// PyTorch decays, and the runs regularise, every parameter: hence "*=".
	configs := map[string]Config{
		"sgd":                {Rule: "sgd", LR: Set(0.1)},
		"sgd l2":             {Rule: "sgd", LR: Set(0.1), L2: settings("*=0.05")},
		"sgd l1":             {Rule: "sgd", LR: Set(0.1), L1: settings("*=0.02")},
		"sgd momentum":       {Rule: "sgd", LR: Set(0.05), Momentum: Set(0.9)},
		"sgd dampening":      {Rule: "sgd", LR: Set(0.05), Momentum: Set(0.8), Dampening: Set(0.3)},
		"sgd nesterov":       {Rule: "sgd", LR: Set(0.05), Momentum: Set(0.9), Nesterov: Set(1)},
		"sgd momentum l1 l2": {Rule: "sgd", LR: Set(0.05), Momentum: Set(0.9), L1: settings("*=0.02"), L2: settings("*=0.05")},
		"sgd groups":         {Rule: "sgd", LR: settings("0.1", "role:bias=0.01"), Momentum: Set(0.9)},
		"adam":               {Rule: "adam"},
		"adam l2":            {Rule: "adam", LR: Set(0.01), L2: settings("*=0.05")},
		"adam betas":         {Rule: "adam", LR: Set(0.01), Beta1: Set(0.8), Beta2: Set(0.95), Eps: Set(1e-3)},
		"adam l1":            {Rule: "adam", LR: Set(0.01), L1: settings("*=0.02")},
		"adam groups":        {Rule: "adam", LR: settings("0.01", "bias=0.001")},
		"adamw":              {Rule: "adamw", WeightDecay: settings("*=0.01")},
		"adamw betas":        {Rule: "adamw", LR: Set(0.01), Beta1: Set(0.8), Beta2: Set(0.95), Eps: Set(1e-3), WeightDecay: settings("*=0.1")},
		"adamw l1":           {Rule: "adamw", LR: Set(0.01), L1: settings("*=0.02"), WeightDecay: settings("*=0.01")},
		"adamw groups":       {Rule: "adamw", LR: settings("0.01", "bias=0.001"), WeightDecay: settings("*=0.01")},
	}
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden trajectories
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Runs) != len(configs) {
		t.Errorf("got %d recorded runs, want %d", len(golden.Runs), len(configs))
	}
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			run := golden.Runs[name]
			weight := &Param{Name: "weight", Role: Weight, Shape: []int{2, 3}}
			bias := &Param{Name: "bias", Role: Bias, Shape: []int{2}}
			params := []*Param{weight, bias}
			for _, p := range params {
				p.Trainable = true
				p.Value = append(p.Value, golden.Start[p.Name]...)
				p.Grad = make([]float32, len(p.Value))
			}
			opt, err := New(params, cfg)
			if err != nil {
				t.Fatal(err)
			}
			steps := len(run["weight"])
			if steps != 50 {
				t.Fatalf("got %d recorded steps, want 50", steps)
			}
			var worst float64
			for step := range steps {
				for _, p := range params {
					for i, w := range p.Value {
						p.Grad[i] = golden.Noise[p.Name][step][i] + 0.5*w
					}
				}
				opt.Step(1)
				for _, p := range params {
					worst = max(worst, relError(p.Value, run[p.Name][step]))
				}
			}
			t.Logf("largest relative error %.2g", worst)
			if !(worst <= 1e-6) {
				t.Errorf("largest relative error: got %.3g, want at most 1e-6", worst)
			}
		})
	}
}

// ortTrace is one of ONNX Runtime's recorded optimizer tests. Entry 0 of each
// list but the gradients is the state before the first step.
type ortTrace struct {
	Parameters, Gradients, Momentum1s, Momentum2s map[string][][]float32
}

// TestONNXRuntime replays the traces of ONNX Runtime's own optimizer tests:
// AdamW in PyTorch's form, and SGD. (Its AdamW of mode 1 is the Hugging Face
// form, another formula.)
func TestONNXRuntime(t *testing.T) {
	for _, test := range []struct {
		file string
		cfg  Config
	}{
		{"ort-adamw/cpu/adamw_test_single_weight_mode_0.json", Config{Rule: "adamw", WeightDecay: Settings{{MustSelector("*"), 1e-2}}}},
		{"ort-adamw/cpu/adamw_test_multiple_weights_mode_0.json", Config{Rule: "adamw", WeightDecay: Settings{{MustSelector("*"), 1e-2}}}},
		{"ort-sgd/cpu/sgd_test_single_weight.json", Config{Rule: "sgd"}},
		{"ort-sgd/cpu/sgd_test_multiple_weights.json", Config{Rule: "sgd"}},
	} {
		t.Run(filepath.Base(test.file), func(t *testing.T) {
			text, err := os.ReadFile(corpus.Path(t, "golden/"+test.file))
			if err != nil {
				t.Fatal(err)
			}
			var trace ortTrace
			if err := json.Unmarshal(text, &trace); err != nil {
				t.Fatal(err)
			}
			var params []*Param
			steps := 0
			for name, values := range trace.Parameters {
				p := &Param{Name: name, Role: Weight, Shape: []int{len(values[0])}, Trainable: true}
				p.Value = append(p.Value, values[0]...)
				params = append(params, p)
				steps = len(values) - 1
			}
			opt, err := New(params, test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if steps != 10 {
				t.Fatalf("got %d recorded steps, want 10", steps)
			}
			var worst float64
			compare := func(what string, got, want []float32) {
				e := relError(got, want)
				worst = max(worst, e)
				if !(e <= 1e-6) {
					t.Errorf("%s: largest relative error: got %.3g, want at most 1e-6", what, e)
				}
			}
			for step := range steps {
				for _, p := range params {
					p.Grad = trace.Gradients[p.Name][step]
				}
				opt.Step(1)
				for _, p := range params {
					compare(fmt.Sprintf("step %d: %s", step+1, p.Name), p.Value, trace.Parameters[p.Name][step+1])
					if trace.Momentum1s != nil {
						slots := opt.State().Slots
						compare("first moment", slots["exp_avg"][p.Name], trace.Momentum1s[p.Name][step+1])
						compare("second moment", slots["exp_avg_sq"][p.Name], trace.Momentum2s[p.Name][step+1])
					}
				}
			}
			t.Logf("largest relative error %.2g", worst)
		})
	}
}
