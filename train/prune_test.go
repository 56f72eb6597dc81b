package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
)

// zerosOf lists the zeros in the weights that are pruned by default, by name.
func zerosOf(m *onnxload.Model) map[string]int {
	zeros := map[string]int{}
	for _, p := range m.Params {
		if p.Decayed() {
			zeros[p.Name] = p.Zeros()
		}
	}
	return zeros
}

// TestPruningIsExact asks for sparsities and counts. A convnet has 36 weights in
// conv and 192 in fc.
func TestPruningIsExact(t *testing.T) {
	settings := func(texts ...string) optim.Settings {
		s, err := optim.ParseSettings(texts...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tests := []struct {
		name  string
		prune Pruning
		conv  int // zeros wanted; -1 is any number
		fc    int
		all   int
	}{
		{"none", Pruning{End: 0.75}, 0, 0, 0},
		{"per layer", Pruning{Sparsity: settings("0.9"), End: 0.75}, 32, 173, 205},
		{"half a weight", Pruning{Sparsity: settings("0.125"), End: 1}, 5, 24, 29},
		{"one layer", Pruning{Sparsity: settings("conv.weight=0.5"), End: 0.75}, 18, 0, 18},
		{"each its own", Pruning{Sparsity: settings("0.25", "fc.weight=0.75"), End: 0.5}, 9, 144, 153},
		{"global", Pruning{Sparsity: settings("0.8"), Global: true, End: 0.75}, -1, -1, 182},
		{"at once", Pruning{Sparsity: settings("0.9")}, 32, 173, 205},
		{"at the end", Pruning{Sparsity: settings("0.9"), Begin: 1, End: 1}, 32, 173, 205},
		{"every seven steps", Pruning{Sparsity: settings("0.9"), Begin: 0.1, End: 0.9, Every: 7}, 32, 173, 205},
	}
	for _, rule := range []string{"adamw", "sgd"} {
		for _, test := range tests {
			for _, steps := range [][2]int{{1, 20}, {1, 10}, {1, 5}, {4, 5}} { // epochs, batch
				name := fmt.Sprintf("%s, %s, %d epochs of batches of %d", test.name, rule, steps[0], steps[1])
				cfg := DefaultConfig()
				cfg.Epochs, cfg.Batch, cfg.Prune = steps[0], steps[1], test.prune
				cfg.Optim = optim.Default(rule)
				cfg.Optim.LR = optim.Set(0.01)
				if rule == "sgd" {
					cfg.Optim.Momentum = optim.Set(0.9)
				}
				m := convnet().model(t)
				result, _ := mustRun(t, m, labelled(20, 3, 1, 6, 6).loader(t), nil, cfg)
				got := zerosOf(m)
				all := got["conv.weight"] + got["fc.weight"]
				if test.conv >= 0 && got["conv.weight"] != test.conv || test.fc >= 0 && got["fc.weight"] != test.fc || all != test.all {
					t.Errorf("%s: got zeros %v, want conv %d, fc %d, %d in all", name, got, test.conv, test.fc, test.all)
				}
				if want := float64(test.all) / 228; math.Abs(result.Sparsity-want) > 1e-12 {
					t.Errorf("%s: got sparsity %v, want %v", name, result.Sparsity, want)
				}
				for _, p := range m.Params {
					if !p.Decayed() && p.Zeros() > 0 {
						t.Errorf("%s: %s has %d zeros, want none", name, p.Name, p.Zeros())
					}
				}
			}
		}
	}
}

// TestGlobalFloor ranks a layer of small weights with one of large ones: a fifth
// of the density that is asked for stays in it, or as much as the floor says.
func TestGlobalFloor(t *testing.T) {
	for floor, want := range map[float64]int{0: 3, 0.5: 9, 1e-9: 1} {
		m := convnet().model(t)
		conv := param(t, m, "conv.weight")
		for i := range conv.Value {
			conv.Value[i] *= 1e-3
		}
		cfg := DefaultConfig()
		cfg.Epochs = 1
		cfg.Optim.LR = optim.Set(1e-6)
		cfg.Prune.Sparsity, cfg.Prune.Global, cfg.Prune.Floor = optim.Set(0.5), true, floor
		mustRun(t, m, labelled(20, 3, 1, 6, 6).loader(t), nil, cfg)
		if got := len(conv.Value) - conv.Zeros(); got != want {
			t.Errorf("floor %g: got %d weights left in conv, want %d of 36", floor, got, want)
		}
	}
}

// TestPrunedWeightsStay looks at the masks after every step: what is pruned is
// zero, though momentum would carry it on, and the number follows the ramp.
func TestPrunedWeightsStay(t *testing.T) {
	for _, rule := range []string{"adamw", "adam", "sgd"} {
		m := convnet().model(t)
		fc := param(t, m, "fc.weight")
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch, cfg.Schedule = 5, 4, "constant"
		cfg.Optim = optim.Default(rule)
		cfg.Optim.LR = optim.Set(0.05)
		if rule == "sgd" {
			cfg.Optim.Momentum, cfg.Optim.Nesterov = optim.Set(0.95), optim.Set(1)
		}
		cfg.Prune = Pruning{Sparsity: optim.Set(0.75), Begin: 0.2, End: 0.8}
		ramp := optim.Ramp{Begin: 5, End: 19} // of 25 steps
		var mask []bool
		cfg.Observe = func(e Event) {
			if e.Kind != Stepped {
				return
			}
			step := e.Step - 1
			if want := int(math.Round(192 * ramp.At(step, 0.75))); fc.Zeros() != want {
				t.Errorf("%s, step %d: got %d zeros, want %d", rule, step, fc.Zeros(), want)
			}
			for i, keep := range fc.Mask {
				if !keep && fc.Value[i] != 0 {
					t.Errorf("%s, step %d: got weight %d back at %v, want it pruned", rule, step, i, fc.Value[i])
				}
				if mask != nil && !mask[i] && keep {
					t.Errorf("%s, step %d: got weight %d unmasked", rule, step, i)
				}
			}
			mask = slices.Clone(fc.Mask)
		}
		if _, err := Run(context.Background(), m, labelled(20, 3, 1, 6, 6).loader(t), nil, cfg); err != nil {
			t.Fatal(err)
		}
	}
}

// TestThreshold prunes once, behind the last step, and what is measured then is
// the model that comes out.
func TestThreshold(t *testing.T) {
	l := labelled(20, 3, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Batch = 8
	plain := mlp().model(t)
	mustRun(t, plain, l, nil, cfg)

	cfg.Prune.Threshold = optim.Set(0.2)
	m := mlp().model(t)
	cfg.Observe = func(e Event) {
		if e.Kind == EpochDone && e.Sparsity != 0 {
			t.Errorf("got sparsity %v while training, want 0", e.Sparsity)
		}
	}
	result, err := Run(context.Background(), m, l, l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	pruned, weights := 0, 0
	for i, p := range m.Params {
		for k, v := range p.Value {
			want := plain.Params[i].Value[k]
			if p.Decayed() && math.Abs(float64(want)) < float64(float32(0.2)) {
				want = 0
				pruned++
			}
			if v != want {
				t.Fatalf("%s[%d]: got %v, want %v", p.Name, k, v, want)
			}
		}
		if p.Decayed() {
			weights += len(p.Value)
		}
	}
	if want := float64(pruned) / float64(weights); pruned == 0 || result.Sparsity != want {
		t.Errorf("got sparsity %v, want %v", result.Sparsity, want)
	}
	after, err := Evaluate(context.Background(), m, l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if after.Loss != result.After.Loss {
		t.Errorf("got loss %v after the run, want %v, that of the pruned model", result.After.Loss, after.Loss)
	}
}

// TestSparsityCountsWhatIsNamed tells the share of zeros among weights, and what
// else a selector reaches.
func TestSparsityCountsWhatIsNamed(t *testing.T) {
	cfg := DefaultConfig()
	var err error
	if cfg.Prune.Sparsity, err = optim.ParseSettings("bn.scale=0.5"); err != nil {
		t.Fatal(err)
	}
	result, _ := mustRun(t, convnet().model(t), labelled(20, 3, 1, 6, 6).loader(t), nil, cfg)
	if want := 2.0 / 232; math.Abs(result.Sparsity-want) > 1e-12 {
		t.Errorf("got sparsity %v, want %v, two of 228 weights and four scales", result.Sparsity, want)
	}
}
