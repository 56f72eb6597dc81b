//go:build ort

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"finetune/export"
	"finetune/internal/corpus"
	"finetune/internal/engine"
	"finetune/internal/op"
	"finetune/internal/ort"
	"finetune/onnxload"
	"finetune/optim"

	G "gorgonia.org/gorgonia"
)

// notProven are the models of the corpus that have nothing to train, and why.
var notProven = map[string]string{
	"mnist_quantized":                    "its weights are integers in integer operators",
	"resnet18_dynamo_external_NOWEIGHTS": "its weights are not there",
	"rf_sklearn":                         "trees have no weights",
}

// ownTolerance is for models that ONNX Runtime computes otherwise than we do.
var ownTolerance = map[string]float64{
	"squeezenet_fp16":      1e-2, // in float16
	"mobilenetv2_qdq_int8": 0.2,  // a rounding that falls the other way changes all layers after it
}

// TestProof takes every model of the corpus that can be trained once around: it is
// computed as ONNX Runtime computes it, on random inputs; twenty steps towards
// random targets make its loss smaller; and the file that is written then gives in
// ONNX Runtime what it gives here. With -v it prints the table.
func TestProof(t *testing.T) {
	ort.Require(t)
	paths, err := filepath.Glob(filepath.Join(corpus.Path(t, "models"), "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{fmt.Sprintf("%-30s %9s %8s %11s %11s %8s %7s", "model", "trained", "forward", "loss before", "loss after", "written", "time")}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		t.Run(name, func(t *testing.T) {
			if why := notProven[name]; why != "" {
				t.Skip(why)
			}
			start := time.Now()
			p := newProof(t, path)
			tolerance := max(ownTolerance[name], 1e-4)
			forward := p.againstRuntime(t, path)
			before, after := p.train(t, 20)
			out := filepath.Join(t.TempDir(), "out.onnx")
			if _, err := export.Write(out, p.model, export.Options{}); err != nil {
				t.Fatal(err)
			}
			written := p.againstRuntime(t, out)
			if !(after < before) {
				t.Errorf("got a loss of %g after %g, want less", after, before)
			}
			if !(forward <= tolerance) || !(written <= tolerance) {
				t.Errorf("ONNX Runtime differs by %.2g before and %.2g after training, want at most %g", forward, written, tolerance)
			}
			lines = append(lines, fmt.Sprintf("%-30s %9d %8.1e %11.4g %11.4g %8.1e %6.1fs", name, p.trained, forward, before, after, written, time.Since(start).Seconds()))
		})
	}
	t.Log("\n" + strings.Join(lines, "\n"))
}

// proof is a model with random inputs.
type proof struct {
	model   *onnxload.Model
	cfg     onnxload.Config
	program *onnxload.Program
	inputs  map[string]ort.Tensor
	given   map[string]ort.Tensor // for ONNX Runtime: those that are constants for us as well
	trained int                   // values
}

func newProof(t *testing.T, path string) *proof {
	t.Helper()
	m, err := onnxload.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &proof{model: m, cfg: onnxload.Config{Batch: max(1, m.BatchDim()), Dims: map[string]int{}, Feed: map[string]*onnxload.Tensor{}}, given: map[string]ort.Tensor{}}
	for _, in := range m.Inputs {
		if in.Name == "sr" { // of a voice detector, which has two networks
			p.cfg.Feed["sr"] = &onnxload.Tensor{DType: onnxload.Int64, Shape: []int{}, I: []int64{16000}}
			p.given["sr"] = ort.Tensor{Shape: []int{}, I: []int64{16000}}
		}
		for k, d := range in.Dims {
			if k > 0 && d.Size < 0 {
				p.cfg.Dims[d.Symbol] = openSize
				if in.Name == "input" && len(p.cfg.Feed) > 0 || d.Symbol == "sequence" {
					p.cfg.Dims[d.Symbol] = 512
				}
			}
		}
	}
	if p.program, err = m.Lower(p.cfg); err != nil {
		t.Fatal(err)
	}
	p.inputs = randomInputs(p.program, rand.New(rand.NewPCG(1, 2)))
	for name, x := range p.inputs {
		p.given[name] = x
	}
	return p
}

// againstRuntime is the largest difference of a float output of the file at path in
// ONNX Runtime from that of the model here, as a share of the largest element.
func (p *proof) againstRuntime(t *testing.T, path string) float64 {
	t.Helper()
	want := compute(t, p.model, p.cfg, p.inputs)
	got, err := ort.Run(path, p.given)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for name, w := range want {
		g, ok := got[name]
		if !ok {
			continue // a list of maps
		}
		far, size := 0.0, 0.01 // shares of less are far below any use
		for i, v := range w {
			far, size = max(far, math.Abs(float64(g.F[i]-v))), max(size, math.Abs(float64(v)))
		}
		worst = max(worst, far/size)
	}
	return worst
}

// train takes steps of Adam, ever shorter ones, on the squared distance of all float outputs from
// random targets of their size, before a final activation, and returns the loss before and after.
func (p *proof) train(t *testing.T, steps int) (before, after float64) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	bind := p.program.Bind
	var outputs, terms []*G.Node
	for _, out := range p.program.Outputs {
		if out.DType.IsFloat() && len(out.Shape) > 0 && !slices.Contains(outputs, out.Logits) {
			outputs = append(outputs, out.Logits)
		}
	}
	for i, now := range p.values(t, outputs) {
		leaf := op.Input(p.program.Graph, fmt.Sprint("target ", i), G.Float32, outputs[i].Shape()...)
		bind[leaf] = op.Buffer{F: noise(random, now)}
		term, err := op.MSE(outputs[i], leaf)
		if err != nil {
			t.Fatal(err)
		}
		terms = append(terms, term)
	}
	cost, err := op.Sum(terms...)
	if err != nil {
		t.Fatal(err)
	}
	var params []*optim.Param
	var leaves []*G.Node
	for _, param := range p.model.Params {
		if leaf := p.program.Params[param]; leaf != nil && param.Trainable {
			params, leaves = append(params, param), append(leaves, leaf)
		}
	}
	grads, err := engine.Backprop(cost, leaves)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []*G.Node{cost}
	for i, g := range grads {
		if g == nil {
			continue
		}
		params[i].Grad = make([]float32, len(params[i].Value))
		bind[g] = op.Buffer{F: params[i].Grad}
		wanted = append(wanted, g)
		p.trained += len(params[i].Value)
	}
	params = slices.DeleteFunc(params, func(p *optim.Param) bool { return p.Grad == nil })
	machine, err := engine.Compile(wanted, bind)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	p.feed(machine)
	cfg := optim.Default("adam")
	cfg.LR = optim.Set(1e-3)
	o, err := optim.New(params, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for step := 0; ; step++ {
		if err := machine.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		after = float64(machine.Buffer(cost).F[0])
		if step == 0 {
			before = after
		}
		if step == steps {
			return before, after
		}
		o.Step(1 - float64(step)/float64(steps))
	}
}

// feed gives the inputs of a machine their values.
func (p *proof) feed(machine *engine.Machine) {
	for _, in := range p.program.Inputs {
		copy(machine.Buffer(in.Node).F, p.inputs[in.Name].F)
		copy(machine.Buffer(in.Node).I, p.inputs[in.Name].I)
	}
}

// values is what nodes of the program are.
func (p *proof) values(t *testing.T, nodes []*G.Node) [][]float32 {
	t.Helper()
	machine, err := engine.Compile(nodes, p.program.Bind)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	p.feed(machine)
	if err := machine.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list [][]float32
	for _, n := range nodes {
		list = append(list, slices.Clone(machine.Buffer(n).F))
	}
	return list
}

// noise is random numbers with the deviation of others, around a mean that is
// larger by as much.
func noise(random *rand.Rand, like []float32) []float32 {
	mean, deviation := 0.0, 0.0
	for _, v := range like {
		mean += float64(v) / float64(len(like))
	}
	for _, v := range like {
		deviation += (float64(v) - mean) * (float64(v) - mean) / float64(len(like))
	}
	list := make([]float32, len(like))
	for i := range list {
		list[i] = float32(mean + max(math.Sqrt(deviation), 0.05)*(1+random.NormFloat64()))
	}
	return list
}
