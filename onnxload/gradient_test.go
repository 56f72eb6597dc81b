package onnxload

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"finetune/internal/corpus"
	"finetune/internal/engine"
	"finetune/internal/op"
	"finetune/optim"
)

// TestCorpusGradients takes real models one step of steepest descent: all
// gradients are finite, and a sum of the outputs with random weights changes
// along them as fast as they say.
func TestCorpusGradients(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus.Path(t, "models"), "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".onnx")
		if slices.Contains(notLowered, name) || name == quantized || name == "rf_sklearn" || name == "resnet18_dynamo_external_NOWEIGHTS" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m, err := Open(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg := sizes(m)
			cfg.Batch = max(1, m.BatchDim())
			d := newDescent(t, m, cfg)
			defer d.vm.Close()
			d.check(t)
		})
	}
}

// descent is a model, the sum of its outputs with random weights, and the
// gradients of that.
type descent struct {
	vm      *engine.Machine
	outputs []*G.Node
	weights [][]float32
	params  []*optim.Param
	grads   []*G.Node
	size    float64 // of the terms of the sum, as it was last computed
}

func newDescent(t *testing.T, m *Model, cfg Config) *descent {
	t.Helper()
	prog, err := m.Lower(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := &descent{}
	rng := rand.New(rand.NewPCG(5, 6))
	bind := prog.Bind
	var terms []*G.Node
	for _, p := range prog.Outputs {
		if !p.DType.IsFloat() {
			continue
		}
		w := make([]float32, product(p.Shape))
		for i := range w {
			w[i] = float32(rng.NormFloat64())
		}
		leaf := op.Input(prog.Graph, "weight of "+p.Name, G.Float32, p.Shape...)
		bind[leaf] = op.Buffer{F: w}
		term, err := op.Mul(p.Logits, leaf)
		if err == nil {
			term, err = op.ReduceSum(term, nil, false)
		}
		if err != nil {
			t.Fatal(err)
		}
		terms = append(terms, term)
		d.outputs, d.weights = append(d.outputs, p.Logits), append(d.weights, w)
	}
	cost, err := op.Sum(terms...)
	if err != nil {
		t.Fatal(err)
	}
	var leaves []*G.Node
	for _, p := range m.Params {
		if leaf := prog.Params[p]; leaf != nil && p.Trainable {
			d.params, leaves = append(d.params, p), append(leaves, leaf)
		}
	}
	if d.grads, err = engine.Backprop(cost, leaves); err != nil {
		t.Fatal(err)
	}
	wanted := slices.Clone(d.outputs)
	for i, g := range d.grads {
		if g == nil {
			t.Errorf("parameter %q has no gradient", d.params[i].Name)
		} else {
			wanted = append(wanted, g)
		}
	}
	if d.vm, err = engine.Compile(wanted, bind); err != nil {
		t.Fatal(err)
	}
	for _, p := range prog.Inputs {
		b := randomInput(rng, p)
		copy(d.vm.Buffer(p.Node).F, b.F)
		copy(d.vm.Buffer(p.Node).I, b.I)
	}
	return d
}

// cost runs the model and adds the outputs up in float64.
func (d *descent) cost(t *testing.T) float64 {
	t.Helper()
	if err := d.vm.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	total, squares := 0.0, 0.0
	for k, n := range d.outputs {
		for i, v := range d.vm.Buffer(n).F {
			term := float64(v) * float64(d.weights[k][i])
			total += term
			squares += term * term
		}
	}
	d.size = max(math.Sqrt(squares), 1e-3)
	return total
}

// check compares the slope along the gradient, each parameter's scaled by the
// size of the parameter, with a difference.
func (d *descent) check(t *testing.T) {
	t.Helper()
	d.cost(t)
	size := d.size
	steps := make([][]float32, len(d.params)) // by which to move
	want := 0.0
	for i, g := range d.grads {
		if g == nil {
			continue
		}
		grad := slices.Clone(d.vm.Buffer(g).F)
		length, weight := norm(grad), norm(d.params[i].Value)
		if math.IsNaN(length) || math.IsInf(length, 0) {
			t.Fatalf("the gradient of %q is not finite", d.params[i].Name)
		}
		if length == 0 {
			continue
		}
		scale := max(weight, 1e-3) / length
		want += length * length * scale
		for k := range grad {
			grad[k] *= float32(scale)
		}
		steps[i] = grad
	}
	if want == 0 {
		t.Fatal("all gradients are zero")
	}
	move := func(h float64) {
		for i, p := range d.params {
			for k, v := range steps[i] {
				p.Value[k] += float32(h) * v
			}
		}
	}
	best := math.Inf(1)
	for _, share := range []float64{1e-1, 1e-2, 1e-3, 1e-4} { // of the cost that is to change
		h := share * size / want
		move(h)
		up := d.cost(t)
		move(-2 * h)
		down := d.cost(t)
		move(h)
		best = min(best, math.Abs((up-down)/(2*h)/want-1))
	}
	t.Logf("%d parameters: the slope along the gradient is off by %.2g", len(d.params), best)
	if !(best <= 0.02) {
		t.Errorf("the slope along the gradient is off by %.2g", best)
	}
}

func norm(x []float32) float64 {
	total := 0.0
	for _, v := range x {
		total += float64(v) * float64(v)
	}
	return math.Sqrt(total)
}
