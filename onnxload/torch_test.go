package onnxload

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/op"
)

// torchRecord is what testdata/gradients.py records of a model.
type torchRecord struct {
	Model  []byte // the file; of small layers only
	Tokens []int64
	X      []float32
	XGrad  *torchGradient `json:"x_grad"`
	Seed   []float32      // weights of the outputs in the sum that was differentiated
	Y      []float32
	Params map[string]*torchGradient
}

// torchGradient is the norm of a gradient, and some of its elements.
type torchGradient struct {
	Norm float64
	At   []int
	Grad []float64
}

// error is how far off a gradient is, as a share of the norm.
func (g *torchGradient) error(got []float32) float64 {
	size := max(g.Norm, 1e-6) // one that is 0 is computed as rounding
	e := math.Abs(norm(got)-g.Norm) / size
	for k, at := range g.At {
		e = max(e, math.Abs(float64(got[at])-g.Grad[k])/size)
	}
	return e
}

// TestGradientsAgainstTorch holds the gradients of all parameters of models that
// PyTorch exported, and of the inputs of small layers, to those that PyTorch
// computes. With -v it prints the largest errors, relative to the norm.
func TestGradientsAgainstTorch(t *testing.T) {
	var recorded map[string]torchRecord
	if err := json.Unmarshal(unpacked(t, "testdata/gradients.json.gz"), &recorded); err != nil {
		t.Fatal(err)
	}
	lines := []string{fmt.Sprintf("%-36s %9s %8s %9s %9s", "against PyTorch", "gradients", "elements", "outputs", "gradients")}
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		t.Run(name, func(t *testing.T) {
			r := recorded[name]
			if r.Model == nil {
				r.Model = unpacked(t, "testdata/"+name+".onnx.gz")
			}
			lines = append(lines, fmt.Sprintf("%-36s %s", name, r.compare(t)))
		})
	}
	t.Log("\n" + strings.Join(lines, "\n"))
}

// compare runs the model, holds outputs and gradients to what is recorded, and
// returns the largest errors as a line of the table.
func (r *torchRecord) compare(t *testing.T) string {
	m, err := Parse(r.Model, "")
	if err != nil {
		t.Fatal(err)
	}
	prog, err := m.Lower(Config{Training: true, BatchNorm: BatchNormTrain})
	if err != nil {
		t.Fatal(err)
	}
	x, y := prog.Inputs[0].Node, prog.Outputs[0].Node
	seed := op.Input(prog.Graph, "seed", G.Float32, y.Shape()...)
	prog.Bind[seed], prog.Bind[x] = op.Buffer{F: r.Seed}, op.Buffer{F: r.X, I: r.Tokens}
	cost, err := op.Mul(y, seed)
	if err == nil {
		cost, err = op.ReduceSum(cost, nil, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	var leaves []*G.Node
	var names []string
	var want []*torchGradient
	if r.XGrad != nil {
		leaves, names, want = append(leaves, x), append(names, "x"), append(want, r.XGrad)
	}
	for _, p := range m.Params {
		if !p.Trainable {
			continue
		}
		w := r.Params[p.Name]
		if w == nil && m.Tensors[p.Name].At.Node >= 0 {
			continue // one that the exporter made up, to write a layer as several
		}
		if w == nil {
			t.Errorf("parameter %q is trainable, and PyTorch has none like it", p.Name)
			continue
		}
		leaves, names, want = append(leaves, prog.Params[p]), append(names, p.Name), append(want, w)
	}
	if n := len(want) - min(1, len(r.X)); n != len(r.Params) {
		t.Errorf("got %d trainable parameters, want %d", n, len(r.Params))
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
	if err := vm.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	off := 0.0
	for i, w := range r.Y {
		off = max(off, math.Abs(float64(vm.Buffer(y).F[i]-w))/max(1, math.Abs(float64(w))))
	}
	worst, where, elements := 0.0, "", 0
	for i, g := range grads {
		got := vm.Buffer(g).F
		elements += len(got)
		if e := want[i].error(got); e >= worst {
			worst, where = e, names[i]
		}
	}
	if !(off <= 1e-5) || !(worst <= 2e-5) {
		t.Errorf("got outputs off by %.1e and gradients by %.1e (%s), want 1e-5 and 2e-5 at most", off, worst, where)
	}
	return fmt.Sprintf("%9d %8d %9.1e %9.1e", len(grads), elements, off, worst)
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
