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

// TestExactWithEveryScore asks every score, pattern and allocation for zeros, and
// looks that no bias, scale or shift has any. A convnet has 36 weights in conv, of
// four filters, and 192 in fc, of three outputs.
func TestExactWithEveryScore(t *testing.T) {
	for _, score := range optim.Scores {
		for _, test := range []struct {
			prune    Pruning
			conv, fc int // zeros wanted; -1 is any number
			all      int
		}{
			{Pruning{Sparsity: optim.Set(0.9)}, 32, 173, 205},
			{Pruning{Sparsity: optim.Set(0.8), Global: true}, -1, -1, 182},
			{Pruning{Sparsity: optim.Set(0.8), Kernel: true}, -1, -1, 182},
			{Pruning{Sparsity: optim.Set(0.5), Pattern: "filters"}, 18, 128, 146}, // two of four; 1.5 of three is two
			{Pruning{Sparsity: optim.Set(0.75), Pattern: "1x4"}, -1, 144, -1},
			{Pruning{Sparsity: optim.Set(0.5), Pattern: "columns"}, 20, 128, 148}, // five of nine, two of three
			{Pruning{Pattern: "2:4"}, 0, 96, 96},                                  // conv has one input
			{Pruning{Sparsity: optim.Set(0.5), DenseFirst: true}, 0, 96, 96},
			{Pruning{Sparsity: optim.Set(0.5), DenseLast: true}, 18, 0, 18},
		} {
			test.prune.Score, test.prune.End = score, 0.75
			cfg := DefaultConfig()
			cfg.Epochs, cfg.Batch, cfg.Prune = 2, 5, test.prune
			cfg.Prune.Calibration = 7
			m := convnet().model(t)
			mustRun(t, m, labelled(20, 3, 1, 6, 6).loader(t), nil, cfg)
			zeros := zerosOf(m)
			name := fmt.Sprintf("%s, %+v", score, test.prune)
			if c := zeros["conv.weight"]; test.conv >= 0 && c != test.conv {
				t.Errorf("%s: got %d zeros in conv, want %d", name, c, test.conv)
			}
			if f := zeros["fc.weight"]; test.fc >= 0 && f != test.fc {
				t.Errorf("%s: got %d zeros in fc, want %d", name, f, test.fc)
			}
			if all := zeros["conv.weight"] + zeros["fc.weight"]; test.all >= 0 && all != test.all {
				t.Errorf("%s: got %d zeros, want %d", name, all, test.all)
			}
			for _, p := range m.Params {
				if !p.Decayed() && (p.Zeros() > 0 || p.Mask != nil) {
					t.Errorf("%s: %s has %d zeros, and a mask %t; want neither", name, p.Name, p.Zeros(), p.Mask != nil)
				}
			}
		}
	}
}

// calibrated is a run on m that is ready for its first step.
func calibrated(t *testing.T, m *onnxload.Model, x *examples, cfg Config) *run {
	t.Helper()
	r, err := newRun(context.Background(), m, x.loader(t), nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWandaNorms computes the norms of the inputs of the first layer from the
// examples.
func TestWandaNorms(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Batch = 20
	cfg.Prune.Sparsity, cfg.Prune.Score = optim.Set(0.5), optim.Wanda
	x := labelled(20, 3, 6)
	m := mlp().model(t)
	r := calibrated(t, m, x, cfg)
	sums := make([]float64, 6)
	in, target := [][]float32{make([]float32, 6)}, make([]float32, 1)
	l := x.loader(t)
	for i := range 20 {
		if err := l.Fill([]int{i}, in, target); err != nil {
			t.Fatal(err)
		}
		for k, v := range in[0] {
			sums[k] += float64(v) * float64(v)
		}
	}
	first := m.Params[slices.IndexFunc(m.Params, func(p *optim.Param) bool { return p.Decayed() && p.Depth == 0 })]
	axis := first.InAxis()
	stride := product(first.Shape[axis+1:])
	for i, got := range r.gradual.State()[first.Name] {
		if want := math.Sqrt(sums[i/stride%6]); math.Abs(float64(got)-want) > 1e-5*want {
			t.Errorf("%s[%d]: got %g, want %g", first.Name, i, got, want)
		}
	}
}

// TestSNIPGradients holds the scores of all examples against the gradient of one
// batch of them.
func TestSNIPGradients(t *testing.T) {
	x := labelled(20, 3, 6)
	cfg := DefaultConfig()
	cfg.Prune.Sparsity, cfg.Prune.Score, cfg.Temperature = optim.Set(0.5), optim.SNIP, 1
	var scores [2]map[string][]float32
	for i, batch := range []int{20, 6} {
		cfg.Batch = batch
		scores[i] = calibrated(t, mlp().model(t), x, cfg).gradual.State()
	}
	for name, whole := range scores[0] {
		if slices.Max(whole) == 0 {
			t.Errorf("%s: got no score above 0", name)
		}
		for i, want := range whole {
			if got := scores[1][name][i]; math.Abs(float64(got-want)) > 1e-4*max(0.1, math.Abs(float64(want))) {
				t.Errorf("%s[%d]: got %g in batches of six, want %g", name, i, got, want)
			}
		}
	}
}

// TestKeepZeros trains a model that comes with zeros, which stay.
func TestKeepZeros(t *testing.T) {
	m := mlp().model(t)
	var names []string
	for _, p := range m.Params {
		if p.Decayed() {
			p.Value[0], p.Value[3] = 0, 0
			names = append(names, p.Name)
		}
	}
	cfg := DefaultConfig()
	cfg.Prune.KeepZeros = true
	mustRun(t, m, labelled(20, 3, 6).loader(t), nil, cfg)
	for _, name := range names {
		if p := param(t, m, name); p.Value[0] != 0 || p.Value[3] != 0 || p.Zeros() != 2 {
			t.Errorf("%s: got %v, want zeros at 0 and 3 only", name, p.Value)
		}
	}
}
