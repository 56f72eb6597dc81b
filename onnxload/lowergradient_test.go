package onnxload

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"finetune/internal/corpus"
	"finetune/internal/engine"
	"finetune/internal/op"
	"finetune/optim"
)

// TestGradients compares gradients through lowered models, as the engine
// computes them, with central differences.
func TestGradients(t *testing.T) {
	for _, mode := range []BatchNormMode{BatchNormFrozen, BatchNormTrain} {
		m := convNet(t)
		prog, err := m.Lower(Config{Batch: 3, Training: true, BatchNorm: mode})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(prog.Stats), map[BatchNormMode]int{BatchNormTrain: 1}[mode]; got != want {
			t.Fatalf("%s: got %d batch statistics, want %d", mode, got, want)
		}
		checkGradients(t, string(mode), m, prog)
	}
}

func checkGradients(t *testing.T, what string, m *Model, prog *Program) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	x := randomInput(rng, prog.Inputs[0])
	y := prog.Outputs[0]

	// The cost is a random linear function of the output.
	mix := op.NewBuffer(y.Node.Dtype(), product(y.Shape))
	for i := range mix.F {
		mix.F[i] = float32(rng.NormFloat64())
	}
	weights := op.Input(prog.Graph, "cost weights", y.Node.Dtype(), y.Shape...)
	prog.Bind[weights] = mix
	weighted, err := op.Mul(y.Node, weights)
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for i := range y.Shape {
		all = append(all, i)
	}
	cost, err := op.ReduceSum(weighted, all, false)
	if err != nil {
		t.Fatal(err)
	}

	var trained []*optim.Param
	var leaves []*G.Node
	for _, p := range m.Params {
		if p.Trainable {
			trained = append(trained, p)
			leaves = append(leaves, prog.Params[p])
		}
	}
	grads, err := engine.Backprop(cost, leaves)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := engine.Compile(append([]*G.Node{cost, y.Node}, grads...), prog.Bind)
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	copy(vm.Buffer(prog.Inputs[0].Node).F, x.F)
	run := func() float64 {
		if err := vm.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		var sum float64 // in float64, unlike the cost node's own
		for i, v := range vm.Buffer(y.Node).F {
			sum += float64(v) * float64(mix.F[i])
		}
		return sum
	}
	run()
	var computed [][]float32
	for _, g := range grads {
		computed = append(computed, slices.Clone(vm.Buffer(g).F))
	}
	for i, p := range trained {
		got := computed[i]
		var worst, scale float64
		const eps = 1e-2
		for k := range p.Value {
			old := p.Value[k]
			p.Value[k] = old + eps
			up := run()
			p.Value[k] = old - eps
			down := run()
			p.Value[k] = old
			want := (up - down) / (2 * eps)
			worst = max(worst, math.Abs(float64(got[k])-want))
			scale = max(scale, math.Abs(want))
		}
		// The bias before a normalisation by the batch has no effect at all.
		if worst > 5e-3*scale+2e-4 {
			t.Errorf("%s: gradient of %s: got off by %g, want under 0.5%% of %g", what, p.Name, worst, scale)
		}
	}
}

// TestWeightsBehindReshape checks that weights which a Reshape stands before
// are trained through it: mnist-8 keeps its last matrix that way.
func TestWeightsBehindReshape(t *testing.T) {
	m, err := Open(corpus.Path(t, "models/mnist-8.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	prog, err := m.Lower(Config{Batch: 2, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	var leaves []*G.Node
	for _, p := range m.Params {
		if p.Trainable {
			leaves = append(leaves, prog.Params[p])
		}
	}
	all := []int{0, 1}
	cost, err := op.ReduceSum(prog.Outputs[0].Node, all, false)
	if err != nil {
		t.Fatal(err)
	}
	grads, err := engine.Backprop(cost, leaves)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(leaves), 6; got != want {
		t.Errorf("got %d trained parameters, want %d", got, want)
	}
	for i, g := range grads {
		if g == nil {
			t.Errorf("got no gradient for %s, want one", prog.NodeName(leaves[i]))
		}
	}
}
