package onnxload

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"testing"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/op"
)

// torchRecord is what testdata/gradients.py records of a model.
type torchRecord struct {
	Tokens []int64
	Seed   []float32 // weights of the outputs in the sum that was differentiated
	Y      []float32
	Params map[string]struct {
		Norm float64
		At   []int
		Grad []float64
	}
}

// TestGradientsAgainstTorch holds the gradients of all parameters of models that
// PyTorch exported to those that PyTorch computes: norms, and some elements. With
// -v it prints the largest errors, relative to the norm.
func TestGradientsAgainstTorch(t *testing.T) {
	b, err := os.ReadFile("testdata/gradients.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]torchRecord
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"transformer", "lstm"} {
		t.Run(name, func(t *testing.T) { compareTorch(t, name, recorded[name]) })
	}
}

func compareTorch(t *testing.T, name string, want torchRecord) {
	m, err := Parse(unpacked(t, "testdata/"+name+".onnx.gz"), "")
	if err != nil {
		t.Fatal(err)
	}
	prog, err := m.Lower(Config{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	y := prog.Outputs[0].Node
	seed := op.Input(prog.Graph, "seed", G.Float32, y.Shape()...)
	prog.Bind[seed] = op.Buffer{F: want.Seed}
	cost, err := op.Mul(y, seed)
	if err == nil {
		cost, err = op.ReduceSum(cost, nil, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	var leaves []*G.Node
	var names []string
	for _, p := range m.Params {
		if !p.Trainable {
			continue
		}
		if _, ok := want.Params[p.Name]; !ok {
			t.Errorf("parameter %q is trainable, and PyTorch has none like it", p.Name)
			continue
		}
		leaves, names = append(leaves, prog.Params[p]), append(names, p.Name)
	}
	if len(names) != len(want.Params) {
		t.Errorf("got %d trainable parameters, want %d", len(names), len(want.Params))
	}
	grads, err := engine.Backprop(cost, leaves)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := engine.Compile(append([]*G.Node{y}, grads...), prog.Bind)
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	copy(vm.Buffer(prog.Inputs[0].Node).I, want.Tokens)
	if err := vm.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	off := 0.0
	for i, w := range want.Y {
		off = max(off, math.Abs(float64(vm.Buffer(y).F[i]-w))/max(1, math.Abs(float64(w))))
	}
	worst, where, elements := 0.0, "", 0
	for i, g := range grads {
		got, w := vm.Buffer(g).F, want.Params[names[i]]
		elements += len(got)
		e := math.Abs(norm(got)-w.Norm) / w.Norm
		for k, at := range w.At {
			e = max(e, math.Abs(float64(got[at])-w.Grad[k])/w.Norm)
		}
		if e > worst {
			worst, where = e, names[i]
		}
	}
	t.Logf("%s: %d parameters of %d elements: outputs off by %.1e, gradients by %.1e at most (%s)", name, len(grads), elements, off, worst, where)
	if !(off <= 1e-5) || !(worst <= 2e-5) {
		t.Errorf("got outputs off by %.1e and gradients by %.1e (%s), want 1e-5 and 2e-5 at most", off, worst, where)
	}
}

// unpacked is the contents of a gzip file.
func unpacked(t *testing.T, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
