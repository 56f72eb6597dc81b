package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestPruner follows a cubic ramp while the weights move, and checks what is
// pruned, what is not, and that it grows.
func TestPruner(t *testing.T) {
	for _, global := range []bool{false, true} {
		params := network()
		r := rand.New(rand.NewPCG(31, 32))
		for _, p := range params {
			for i := range p.Value {
				p.Value[i] = r.Float32() + 0.1
			}
		}
		cfg := Pruning{Global: global, Floor: DefaultFloor, Ramp: Ramp{Begin: 2, End: 22, Every: 4}}
		var err error
		if cfg.Sparsity, err = ParseSettings("0.9", "layer:fc2*=0.5"); err != nil {
			t.Fatal(err)
		}
		pr, err := NewPruner(params, cfg)
		if err != nil {
			t.Fatal(err)
		}
		opt := mustNew(t, params, everythingWithoutSelectors())
		last := 0
		for step := range 30 {
			feedTrainable(params, step)
			opt.Step(1)
			if err := pr.Step(step); err != nil {
				t.Fatal(err)
			}
			pruned := 0
			for _, p := range params {
				pruned += p.Pruned()
			}
			if pruned < last {
				t.Errorf("step %d: got %d pruned after %d", step, pruned, last)
			}
			last = pruned
		}
		want := map[string]int{"features.0.weight": 32, "onnx::MatMul_636": 115, "fc[2],weight": 40} // of 36, 128, 80
		if global {
			if got := params[0].Zeros() + params[5].Zeros(); got != 148 { // round(0.9·164)
				t.Errorf("global: got %d zeros in the pool of 0.9, want 148", got)
			}
			want = map[string]int{"features.0.weight": params[0].Zeros(), "onnx::MatMul_636": params[5].Zeros(), "fc[2],weight": 40}
		}
		for _, p := range params {
			if got := p.Zeros(); got != want[p.Name] {
				t.Errorf("global %t: %s: got %d zeros, want %d", global, p.Name, got, want[p.Name])
			}
			if p.Rank() < 2 && p.Mask != nil {
				t.Errorf("%s of rank %d has a mask", p.Name, p.Rank())
			}
		}
		why := pr.Plans()[7].Why
		if len(why) != 1 || why[0] != (Reason{"sparsity", 0.5, "layer:fc2*=0.5"}) {
			t.Errorf("got reasons %v, want the one of layer:fc2*", why)
		}
	}
}

func everythingWithoutSelectors() Config {
	cfg := everything("adamw")
	cfg.LR = Set(0.01)
	return cfg
}

func feedTrainable(params []*Param, step int) {
	var list []*Param
	for _, p := range params {
		if p.Trainable {
			list = append(list, p)
		}
	}
	feed(list, step)
}

func TestPrunerScope(t *testing.T) {
	params := network()
	for _, p := range params {
		for i := range p.Value {
			p.Value[i] = float32(i + 1)
		}
	}
	params[0].Trainable = false // frozen: not meant by a bare value
	pr, err := NewPruner(params, Pruning{
		Threshold: Settings{{Select: MustSelector("*"), Value: 2}},
		Sparsity:  Set(0.5),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pr.Step(0); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range params {
		got = append(got, fmt.Sprint(p.Zeros()))
	}
	// Thresholded where named, even biases; running statistics never.
	if got, want := strings.Join(got, " "), "1 1 1 1 0 64 1 40"; got != want {
		t.Errorf("got zeros %s, want %s", got, want)
	}
}

func TestNewPrunerErrors(t *testing.T) {
	for want, cfg := range map[string]Pruning{
		"sparsity: 1 is not in [0, 1)":                  {Sparsity: Set(1)},
		"sparsity: NaN is not in [0, 1)":                {Sparsity: Set(math.NaN())},
		"prune-threshold: -1 is not in [0, inf)":        {Threshold: Set(-1)},
		"global-floor: NaN is not in [0, 1]":            {Floor: math.NaN()},
		"global-floor: 2 is not in [0, 1]":              {Floor: 2},
		"initial sparsity: 1 is not in [0, 1)":          {Ramp: Ramp{Initial: 1}},
		"prune begin: step -1 is not in [0, inf)":       {Ramp: Ramp{Begin: -1}},
		"prune end: step 4 is before the begin, step 5": {Ramp: Ramp{Begin: 5, End: 4}},
		"prune every: -1 steps is not in [0, inf)":      {Ramp: Ramp{Every: -1}},
		`sparsity: selector "op:cnov" selects none of the 8 parameters; nearest: "op:Conv", "op:Add", "op:Gemm"`: {Sparsity: Settings{{Select: MustSelector("op:cnov"), Value: 0.5}}},
		"sparsity 0.995 asks for 243 zeros, which empties one of the 3 parameters":                               {Sparsity: Set(0.995), Global: true},
	} {
		if _, err := NewPruner(network(), cfg); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
