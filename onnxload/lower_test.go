package onnxload

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finetune/internal/corpus"
	"finetune/internal/op"
	"finetune/optim"
)

// TestRecorded holds real models to the outputs that came with them.
func TestRecorded(t *testing.T) {
	for _, name := range []string{"mnist-8", "super_resolution_opset10"} {
		m, err := Open(corpus.Path(t, "models/"+name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		if err := runCase(m, corpus.Path(t, "models/testdata/"+name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCorpusModels lowers every real model, or gets a list of what it lacks.
func TestCorpusModels(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus.Path(t, "models"), "*.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".onnx")
		m, err := Open(file)
		if err != nil {
			if name != "resnet18_dynamo_external_NOWEIGHTS" {
				t.Error(err)
			}
			continue
		}
		cfg := sizes(m)
		cfg.Batch, cfg.Training, cfg.BatchNorm = 2, true, BatchNormTrain
		if name == "gtcrn_gru_denoise" {
			cfg.Batch = 1 // its inputs have the batch on different axes
		}
		_, err = m.Lower(cfg)
		if _, ok := errors.AsType[*UnsupportedError](err); err != nil && !ok {
			t.Error(err)
		}
		if supported := !slices.Contains(notLowered, name); supported != (err == nil) {
			t.Errorf("%s: got error %v, want lowered: %v", name, err, supported)
		}
	}
}

// sizes gives the open dimensions of a model's inputs some size.
func sizes(m *Model) Config {
	cfg := Config{Dims: map[string]int{}}
	for _, in := range m.Inputs {
		for _, d := range in.Dims[min(1, len(in.Dims)):] {
			if d.Size >= 0 || d.Symbol == "" || d.Symbol == m.leading().Symbol {
				continue
			}
			cfg.Dims[d.Symbol] = 16
			if d.Symbol == "sequence" { // of samples
				cfg.Dims[d.Symbol] = 512
			}
		}
	}
	return cfg
}

// quantized is a model of the corpus whose weights and activations are rounded, so
// that gradients are not slopes, and a rounding that falls the other way changes all
// layers after it.
const quantized = "mobilenetv2_qdq_int8"

// notLowered is the corpus models that use an operator we lack.
var notLowered = []string{"mnist_quantized"}

// convNet has a convolution, a batch normalisation and a fully connected layer.
func convNet(t *testing.T) *Model {
	rng := rand.New(rand.NewPCG(3, 4))
	normal := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(rng.NormFloat64()) / 2
		}
		return out
	}
	return newDraft(13).
		input("x", "batch", 2, 5, 5).
		floats("w", []int64{3, 2, 3, 3}, normal(54)...).floats("b", []int64{3}, normal(3)...).
		floats("scale", []int64{3}, 1, 1.5, 0.5).floats("shift", []int64{3}, normal(3)...).
		floats("mean", []int64{3}, normal(3)...).floats("var", []int64{3}, 1, 2, 0.5).
		floats("fc.w", []int64{4, 27}, normal(108)...).floats("fc.b", []int64{4}, normal(4)...).
		node("Conv", names("x", "w", "b"), names("c"), attr("auto_pad", "SAME_UPPER"), attr("strides", []int64{2, 2})).
		node("BatchNormalization", names("c", "scale", "shift", "mean", "var"), names("n"), attr("momentum", 0.8)).
		node("Tanh", names("n"), names("t")).
		node("Flatten", names("t"), names("f")).
		node("Gemm", names("f", "fc.w", "fc.b"), names("z"), attr("transB", 1)).
		node("LogSoftmax", names("z"), names("y")).
		output("y").model(t)
}

func TestStats(t *testing.T) {
	m := convNet(t)
	prog, err := m.Lower(Config{Batch: 4, Training: true, BatchNorm: BatchNormTrain})
	if err != nil {
		t.Fatal(err)
	}
	s := prog.Stats[0]
	if s.RunningMean.Name != "mean" || s.RunningVar.Name != "var" || s.Momentum != 0.8 || s.Count != 4*3*3 || s.Node != "n_node" {
		t.Errorf("got %s, %s, momentum %g, count %d, node %s; want mean, var, 0.8, 36, n_node",
			s.RunningMean.Name, s.RunningVar.Name, s.Momentum, s.Count, s.Node)
	}
	if prog, err = m.Lower(Config{Batch: 4, BatchNorm: BatchNormTrain}); err != nil || len(prog.Stats) != 0 {
		t.Errorf("got %d statistics for inference (error %v), want none", len(prog.Stats), err)
	}
}

func TestNodeNames(t *testing.T) {
	m := convNet(t)
	prog, err := m.Lower(Config{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range prog.Graph.AllNodes() {
		name := prog.NodeName(n)
		known := slices.ContainsFunc(m.Nodes, func(o *Node) bool { return o.Name == name })
		known = known || slices.ContainsFunc(m.Params, func(p *optim.Param) bool { return p.Name == name })
		if !known && name != "x" {
			t.Errorf("got name %q for %v, want one of the model", name, n)
		}
	}
}

func TestDropout(t *testing.T) {
	m := newDraft(13).input("x", 1, 1000).floats("ratio", nil, 0.25).
		node("Dropout", names("x", "ratio"), names("y", "mask")).output("y").model(t)
	ones := op.Buffer{F: slices.Repeat([]float32{1}, 1000)}
	run := func(cfg Config) []float32 {
		t.Helper()
		prog, err := m.Lower(cfg)
		if err != nil {
			t.Fatal(err)
		}
		out, err := prog.evaluate([]op.Buffer{ones})
		if err != nil {
			t.Fatal(err)
		}
		return out[0].F
	}
	if got := run(Config{}); !slices.Equal(got, ones.F) {
		t.Error("got changed values for inference, want the input")
	}
	a, b, c := run(Config{Training: true, Seed: 1}), run(Config{Training: true, Seed: 1}), run(Config{Training: true, Seed: 2})
	if !slices.Equal(a, b) {
		t.Error("got two masks from one seed, want one")
	}
	if slices.Equal(a, c) {
		t.Error("got one mask from two seeds, want two")
	}
	zeros := 0
	for _, v := range a {
		if v == 0 {
			zeros++
		} else if math.Abs(float64(v)-4.0/3) > 1e-6 {
			t.Fatalf("got %g for a kept element, want 4/3", v)
		}
	}
	if zeros < 200 || zeros > 300 {
		t.Errorf("got %d of 1000 dropped, want about 250", zeros)
	}
}

// TestOldForms runs operators in the form they had in early opsets.
func TestOldForms(t *testing.T) {
	seq := []float32{-2, -1, 0, 1, 2, 3}
	tests := []struct {
		name  string
		draft *draft
		want  []float32
	}{
		{"Add broadcast along axis 0", newDraft(6).input("x", 2, 3).floats("b", []int64{2}, 10, 20).
			node("Add", names("x", "b"), names("y"), attr("broadcast", 1), attr("axis", 0)), []float32{8, 9, 10, 21, 22, 23}},
		{"Mul broadcast along the last axes", newDraft(6).input("x", 2, 3).floats("b", []int64{3}, 1, 2, 3).
			node("Mul", names("x", "b"), names("y"), attr("broadcast", 1)), []float32{-2, -2, 0, 1, 4, 9}},
		{"Clip with attributes", newDraft(6).input("x", 2, 3).
			node("Clip", names("x"), names("y"), attr("min", -1.0), attr("max", 2.0)), []float32{-1, -1, 0, 1, 2, 2}},
		{"Clip without bounds", newDraft(6).input("x", 2, 3).node("Clip", names("x"), names("y")), seq},
		{"Reshape with an attribute", newDraft(1).input("x", 2, 3).
			node("Reshape", names("x"), names("y"), attr("shape", []int64{3, -1})), seq},
		{"Squeeze and Unsqueeze with attributes", newDraft(9).input("x", 2, 3).
			node("Unsqueeze", names("x"), names("u"), attr("axes", []int64{0, 3})).
			node("Squeeze", names("u"), names("y"), attr("axes", []int64{0})), seq},
		{"Concat with its old default axis", newDraft(1).input("x", 2, 3).
			node("Concat", names("x", "x"), names("y")), []float32{-2, -1, 0, -2, -1, 0, 1, 2, 3, 1, 2, 3}},
		{"Dropout with a mask of floats", newDraft(7).input("x", 2, 3).
			node("Dropout", names("x"), names("d", "mask")).
			node("Mul", names("d", "mask"), names("y")), seq},
		{"Softmax over all axes behind the first", newDraft(9).input("x", 1, 2, 3).
			node("Softmax", names("x"), names("y")), []float32{0.0042697787, 0.011606461, 0.031549633, 0.085760795, 0.23312202, 0.6336913}},
	}
	for _, test := range tests {
		prog, err := test.draft.output("y").model(t).Lower(Config{})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got, err := prog.evaluate([]op.Buffer{{F: seq}})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		a := &Tensor{Shape: prog.Outputs[0].Shape, F: got[0].F}
		if err := agree(a, &Tensor{Shape: a.Shape, F: test.want}); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestLowerErrors checks that what is wrong is named.
func TestLowerErrors(t *testing.T) {
	x := func(opset int64) *draft { return newDraft(opset).input("x", 2, 3, 4, 4) }
	tests := []struct {
		name  string
		draft *draft
		cfg   Config
		want  []string // parts of the message
	}{
		{"all unsupported nodes", x(13).node("Blur", names("x"), names("a")).node("Relu", names("a"), names("b")).
			node("Sharpen", names("b"), names("y")), Config{}, []string{"2 nodes", `"a_node": Blur (opset 13)`, `"y_node": Sharpen (opset 13)`}},
		{"all nodes used in unsupported ways", x(22).node("TfIdfVectorizer", names("x"), names("a")).
			node("Relu", names("a"), names("b")).node("Cast", names("x"), names("c"), attr("to", 8)).
			node("Add", names("b", "c"), names("y")), Config{}, []string{"2 nodes", `"a_node"`, `"c_node"`, "string"}},
		{"too old", x(5).node("Cast", names("x"), names("y"), attr("to", "FLOAT")), Config{}, []string{"y_node", "before opset 6"}},
		{"open batch", newDraft(13).input("x", "n", 3).node("Relu", names("x"), names("y")), Config{}, []string{`input "x"`, `dimension 0 ("n")`, "batch size"}},
		{"open dimension", newDraft(13).input("x", 1, "width").node("Relu", names("x"), names("y")), Config{}, []string{`input "x"`, `dimension 1 ("width")`}},
		{"nameless dimension", newDraft(13).input("x", 1, "").node("Relu", names("x"), names("y")), Config{}, []string{`input "x"`, "dimension 1", "no name"}},
		{"bad size", newDraft(13).input("x", 1, "width").node("Relu", names("x"), names("y")), Config{Dims: map[string]int{"width": -4}}, []string{"width", "-4"}},
		{"absurd size", newDraft(13).input("x", 1<<20, 1<<20).node("Relu", names("x"), names("y")), Config{}, []string{`input "x"`, "more than"}},
		{"missing input", x(13).node("Add", names("x", "-"), names("y")), Config{}, []string{"y_node", "Add", "input 1 (B) is missing"}},
		{"too many inputs", x(13).node("Relu", names("x", "x"), names("y")), Config{}, []string{"y_node", "2 inputs, want at most 1"}},
		{"attribute of the wrong type", x(13).node("Flatten", names("x"), names("y"), attr("axis", "one")), Config{}, []string{"y_node", `"axis"`, "STRING"}},
		{"axis", x(13).node("Softmax", names("x"), names("y"), attr("axis", 4)), Config{}, []string{"y_node", "Softmax", "opset 13", "axis 4"}},
		{"shapes", x(13).floats("w", []int64{2}, 1, 2).node("Add", names("x", "w"), names("y")), Config{}, []string{"y_node", "Add", "(2, 3, 4, 4) and (2)"}},
		{"rank", newDraft(13).input("x", 3).floats("w", []int64{1, 1, 1, 1}, 1).node("Conv", names("x", "w"), names("y")), Config{}, []string{"y_node", "Conv", "[3]"}},
		{"kernel", x(13).node("MaxPool", names("x"), names("y")), Config{}, []string{"y_node", "kernel_shape"}},
		{"strides", x(13).node("MaxPool", names("x"), names("y"), attr("kernel_shape", []int64{2, 2}), attr("strides", []int64{0, 1})), Config{}, []string{"y_node", "strides"}},
		{"pads", x(13).node("AveragePool", names("x"), names("y"), attr("kernel_shape", []int64{2, 2}), attr("pads", []int64{1, 1})), Config{}, []string{"y_node", "pads has 2 numbers, want 4"}},
		{"kernel larger than the input", x(13).node("MaxPool", names("x"), names("y"), attr("kernel_shape", []int64{5, 5})), Config{}, []string{"y_node", "MaxPool"}},
		{"auto_pad", x(13).node("MaxPool", names("x"), names("y"), attr("kernel_shape", []int64{2, 2}), attr("auto_pad", "SOME")), Config{}, []string{"y_node", `"SOME"`}},
		{"group", x(13).floats("w", []int64{1, 1, 1, 1}, 1).node("Conv", names("x", "w"), names("y"), attr("group", 0)), Config{}, []string{"y_node", "group is 0"}},
		{"target", x(13).ints("s", 5, -1).node("Reshape", names("x", "s"), names("y")), Config{}, []string{"y_node", "[5 -1]", "96"}},
		{"two open", x(13).ints("s", -1, -1).node("Reshape", names("x", "s"), names("y")), Config{}, []string{"y_node", "two dimensions"}},
		{"target not constant", x(13).node("Cast", names("x"), names("s"), attr("to", 7)).node("Reshape", names("x", "s"), names("y")), Config{}, []string{"y_node", "Reshape", "target shape", `"s"`, "constant"}},
		{"perm", x(13).node("Transpose", names("x"), names("y"), attr("perm", []int64{0, 1, 1, 2})), Config{}, []string{"y_node", "perm"}},
		{"squeeze", x(13).ints("a", 1).node("Squeeze", names("x", "a"), names("y")), Config{}, []string{"y_node", "axis 1"}},
		{"gather", x(13).ints("i", 7).node("Gather", names("i", "i"), names("y")), Config{}, []string{"y_node", "Gather", "7"}},
		{"indices", x(13).node("Gather", names("x", "x"), names("y")), Config{}, []string{"y_node", "indices", "float32"}},
		{"ratio", x(10).node("Dropout", names("x"), names("y"), attr("ratio", 1.5)), Config{}, []string{"y_node", "ratio 1.5"}},
		{"mask in use", x(10).node("Dropout", names("x"), names("d", "y")), Config{Training: true}, []string{"d_node", "mask"}},
		{"saved statistics", x(9).floats("v", []int64{3}, 1, 1, 1).node("BatchNormalization", names("x", "v", "v", "v", "v"), names("n", "y")).
			node("Relu", names("n"), names("r")), Config{}, []string{"n_node", `output 1 ("y")`}},
		{"unknown feed", x(13).node("Relu", names("x"), names("y")), Config{Feed: map[string]*Tensor{"z": {}}}, []string{`"z"`}},
	}
	for _, test := range tests {
		_, err := test.draft.output("y").model(t).Lower(test.cfg)
		if err == nil {
			t.Errorf("%s: got no error, want one with %q", test.name, test.want)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %q, want %q in it", test.name, err, part)
			}
		}
		if strings.Contains(err.Error(), "internal error") {
			t.Errorf("%s: got %q", test.name, err)
		}
	}
}

// TestUnusedNodes checks that a node that no output needs may be anything.
func TestUnusedNodes(t *testing.T) {
	m := newDraft(13).input("x", 2).node("Blur", names("x"), names("e")).
		node("Relu", names("x"), names("y")).output("y").model(t)
	if _, err := m.Lower(Config{}); err != nil {
		t.Errorf("got %v, want the node to be left out", err)
	}
	m = newDraft(9).input("x", 1, 1, 4).floats("one", []int64{1}, 1).
		node("BatchNormalization", names("x", "one", "one", "one", "one"), names("n", "mean", "var", "saved_mean", "saved_var")).
		node("MaxPool", names("n"), names("p", "winners"), attr("kernel_shape", []int64{2})).
		node("Dropout", names("p"), names("y", "mask")).output("y").model(t)
	if _, err := m.Lower(Config{Training: true}); err != nil {
		t.Errorf("got %v, want outputs that nothing uses to be left out", err)
	}
}

func TestFeed(t *testing.T) {
	m := newDraft(13).input("x", 2, 3).input("scale").node("Mul", names("x", "scale"), names("y")).output("y").model(t)
	prog, err := m.Lower(Config{Feed: map[string]*Tensor{"scale": {DType: Float32, F: []float32{2}}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(prog.Inputs) != 1 || prog.Inputs[0].Name != "x" {
		t.Errorf("got inputs %v, want x alone", prog.Inputs)
	}
	got, err := prog.evaluate([]op.Buffer{{F: []float32{1, 2, 3, 4, 5, 6}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{2, 4, 6, 8, 10, 12}; !slices.Equal(got[0].F, want) {
		t.Errorf("got %v, want %v", got[0].F, want)
	}
}

// TestLowerAgain checks that a model can be lowered by several goroutines, and
// comes out the same each time.
func TestLowerAgain(t *testing.T) {
	m := convNet(t)
	describe := func() string {
		prog, err := m.Lower(Config{Batch: 2, Training: true, BatchNorm: BatchNormTrain})
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		for _, n := range prog.Graph.AllNodes() {
			fmt.Fprintln(&b, n.ID(), prog.NodeName(n), n.Shape(), n.Op())
		}
		return b.String()
	}
	const n = 4
	got := make(chan string, n)
	for range n {
		go func() { got <- describe() }()
	}
	want := describe()
	for range n {
		if s := <-got; s != want {
			t.Errorf("got another graph:\n%s\nwant\n%s", s, want)
		}
	}
}
