package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

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
	Recorded []int
	Start    map[string][]float32
	Noise    map[string][][]float32
	Runs     map[string]struct {
		Rule         string
		Settings     map[string][]string
		Weight, Bias [][]float32
	}
	LBFGS struct {
		Matrix               [][]float32
		Rest                 []float32
		History100, History3 [][]float32
		Wolfe, Far, Near     [][]float32
		Rosenbrock           [][]float32
	}
}

func readGolden(t *testing.T) trajectories {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden trajectories
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	return golden
}

// params are the two of the recorded runs, at their start.
func (g trajectories) params() []*Param {
	params := []*Param{
		{Name: "weight", Role: Weight, Shape: []int{2, 3}, Trainable: true},
		{Name: "bias", Role: Bias, Shape: []int{2}, Trainable: true},
	}
	for _, p := range params {
		p.Value = slices.Clone(g.Start[p.Name])
		p.Grad = make([]float32, len(p.Value))
	}
	return params
}

// feed sets the gradients of a step, from 0.
func (g trajectories) feed(params []*Param, step int) {
	for _, p := range params {
		for i, w := range p.Value {
			p.Grad[i] = g.Noise[p.Name][step][i] + 0.5*w
		}
	}
}

// configOf reads settings by the names of their fields.
func configOf(t *testing.T, rule string, settings map[string][]string) Config {
	t.Helper()
	cfg := Default(rule)
	for _, f := range fields {
		list, err := ParseSettings(settings[f.Name]...)
		if err != nil {
			t.Fatal(err)
		}
		*f.Settings(&cfg) = list
		delete(settings, f.Name)
	}
	if len(settings) > 0 {
		t.Fatalf("got settings of unknown fields: %v", settings)
	}
	return cfg
}

// errorTable is the largest relative error by rule and case.
type errorTable map[string]map[string]float64

func (e errorTable) set(name string, worst float64) {
	rule, kind, _ := strings.Cut(name, " ")
	if e[rule] == nil {
		e[rule] = map[string]float64{}
	}
	e[rule][kind] = worst
}

func (e errorTable) String() string {
	const others = "others" // the largest of those without a column
	columns := []string{"plain", "l2", "l1", "off defaults", "groups", others}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nrule\t%s\n", strings.Join(columns, "\t"))
	for _, r := range rules {
		row := map[string]float64{}
		for kind, worst := range e[r.Name] {
			if !slices.Contains(columns, kind) {
				kind = others
			}
			row[kind] = max(row[kind], worst)
		}
		if len(row) == 0 {
			continue
		}
		fmt.Fprint(w, r.Name)
		for _, c := range columns {
			if worst, ok := row[c]; ok {
				fmt.Fprintf(w, "\t%.1e", worst)
			} else {
				fmt.Fprint(w, "\t-")
			}
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return b.String()
}

// TestGolden follows the trajectories that PyTorch took.
func TestGolden(t *testing.T) {
	golden := readGolden(t)
	table := errorTable{}
	for name, run := range golden.Runs {
		t.Run(name, func(t *testing.T) {
			params := golden.params()
			opt, err := New(params, configOf(t, run.Rule, run.Settings))
			if err != nil {
				t.Fatal(err)
			}
			var worst float64
			compared := 0
			for step := range golden.Recorded[len(golden.Recorded)-1] {
				golden.feed(params, step)
				opt.Step(1)
				if i := slices.Index(golden.Recorded, step+1); i >= 0 {
					worst = max(worst, relError(params[0].Value, run.Weight[i]), relError(params[1].Value, run.Bias[i]))
					compared++
				}
			}
			table.set(name, worst)
			if !(worst <= 1e-6) || compared != 10 || opt.State().Step != 50 {
				t.Errorf("largest relative error at %d of %d steps: got %.3g, want at most 1e-6 at 10 of 50", compared, opt.State().Step, worst)
			}
		})
	}
	t.Logf("largest relative errors in 50 steps beside PyTorch's:\n%v", table)
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
		{"ort-adamw/cpu/adamw_test_single_weight_mode_0.json", Config{Rule: "adamw", WeightDecay: Settings{{Select: MustSelector("*"), Value: 1e-2}}}},
		{"ort-adamw/cpu/adamw_test_multiple_weights_mode_0.json", Config{Rule: "adamw", WeightDecay: Settings{{Select: MustSelector("*"), Value: 1e-2}}}},
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
