package onnxload

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"finetune/internal/corpus"
	"finetune/internal/engine"
	"finetune/internal/onnxpb"
	"finetune/internal/op"
)

// slot is an input of an operator, "ai.onnx.ml.Scaler X" or "Conv W".
type slot struct {
	operator string
	input    string
}

// seen is what cases have shown of a slot.
type seen struct {
	cases   int     // with a gradient
	checked int     // elements
	worst   float64 // error of one
	beyond  float64 // what of an error rounding does not explain
	where   string
}

// gradientError is the most that gradients may differ from differences, as a
// share of the largest one of the case.
const gradientError = 0.03

// undifferentiated are inputs that outputs depend on smoothly and that have no
// gradient all the same, and why.
var undifferentiated = map[slot]string{
	{"BatchNormalization", "input_mean"}: "running statistics are not learned by the gradient",
	{"BatchNormalization", "input_var"}:  "running statistics are not learned by the gradient",
	{"Pad", "constant_value"}:            "it has to be a constant",
	{"RoiAlign", "rois"}:                 "boxes are given, as in other frameworks",
	{"QuantizeLinear", "x"}:              "the result has integers; TestQuantizedGradient looks at the gradient behind",
	{"DequantizeLinear", "x"}:            "it has integers; TestQuantizedGradient looks at the gradient",
}

// unresolved are cases in which float32 is too coarse for differences, and why.
var unresolved = map[string]string{
	"test_rnn_seq_length":               "its inputs go up to 18, where tanh is flat",
	"test_sce_NCd1d2d3d4d5_mean_weight": "each of its rows is one of 6,480 in a mean",
}

// TestOperatorGradients holds the table of operators to what gradients there are.
// The ONNX project's operator tests of a single node, and gradientCases, are
// cases: their gradients with respect to all float inputs agree with differences,
// and each input that the table promises a gradient to gets one in some case, and
// no other does. With -v it prints the largest error by operator and input.
func TestOperatorGradients(t *testing.T) {
	tests := gradientTest{t: t, slots: map[slot]*seen{}}
	for _, c := range gradientCases(t) {
		tests.run(c.what, c.model, c.inputs)
	}
	for _, c := range findCases(t, []string{filepath.Join(corpus.Path(t, "onnx-backend"), "node")}) {
		m, err := Open(filepath.Join(c.dir, "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Nodes) != 1 || m.Supported() != nil || unresolved[c.name] != "" {
			continue
		}
		in, err := readTensors(filepath.Join(c.dir, "test_data_set_0"), "input", len(m.Inputs))
		if err != nil {
			continue // sequences and the like
		}
		tests.run(c.name, m, in)
	}
	tests.compareTable()
	tests.log()
}

// ours begins the names of cases that are not the ONNX project's.
const ours = "our case of "

// gradientCase is a model of one node, and inputs for it.
type gradientCase struct {
	what   string
	model  *Model
	inputs []*Tensor
}

// gradientTest collects what cases show.
type gradientTest struct {
	t     *testing.T
	slots map[slot]*seen
}

// run compares the gradients of one case.
func (g *gradientTest) run(what string, m *Model, in []*Tensor) {
	n := m.Nodes[0]
	rough := func(dt DType) bool { return dt.inFloats() && dt != Float32 && dt != Float64 }
	for _, t := range in {
		if rough(t.DType) {
			return // every function is a staircase there
		}
	}
	nudge(in)
	prog, err := lowerRecorded(m, in)
	if err != nil && strings.HasPrefix(what, ours) {
		g.t.Errorf("%s: %v", what, err)
	}
	if err != nil {
		return // TestConformance tells
	}
	bind := maps.Clone(prog.Bind)
	var wrt, outputs []*G.Node
	var slots []slot
	inputs := domains[n.Domain].operators[n.Op].in.inputs()
	look := func(name string, node *G.Node) {
		k := slices.Index(n.Inputs, name)
		if k < 0 || node.Dtype() != G.Float32 {
			return
		}
		if s := (slot{qualified(n), inputs.at(k).Name}); undifferentiated[s] == "" {
			wrt, slots = append(wrt, node), append(slots, s)
		}
	}
	for _, p := range prog.Inputs {
		t := in[slices.IndexFunc(m.Inputs, func(v Value) bool { return v.Name == p.Name })]
		bind[p.Node] = op.Buffer{F: t.F, I: t.I}
		if p.DType.IsFloat() {
			look(p.Name, p.Node)
		}
	}
	for _, p := range m.Params { // of linear models
		if leaf := prog.Params[p]; leaf != nil {
			look(p.Name, leaf)
		}
	}
	for _, p := range prog.Outputs {
		if rough(p.DType) {
			return
		}
		if p.DType.IsFloat() && !slices.Contains(outputs, p.Node) {
			outputs = append(outputs, p.Node)
		}
	}
	if len(outputs) == 0 || len(wrt) == 0 {
		return
	}
	agreements, err := engine.Differences(g.t.Context(), outputs, wrt, bind, 6, 1)
	if err != nil {
		g.t.Errorf("%s: %v", what, err)
		return
	}
	for i, a := range agreements {
		s := g.slots[slots[i]]
		if s == nil {
			s = new(seen)
			g.slots[slots[i]] = s
		}
		if a.Flows {
			s.cases++
		}
		s.checked += a.Checked
		s.beyond = max(s.beyond, a.Beyond)
		if a.Error > s.worst {
			s.worst, s.where = a.Error, what
		}
		if a.Beyond > gradientError {
			g.t.Errorf("%s: input %s of %s: the gradient is off by %.2g of the largest of %d elements", what, slots[i].input, slots[i].operator, a.Beyond, a.Checked)
		}
	}
}

// nudge moves floats off the round numbers that operators bend at.
func nudge(in []*Tensor) {
	random := rand.New(rand.NewPCG(3, 3))
	for _, t := range in {
		for k, v := range t.F {
			t.F[k] = v + 0.02*max(v, 0.1)*float32(random.NormFloat64())
		}
	}
}

// qualified is the name of an operator with its domain.
func qualified(n *Node) string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

// compareTable holds the signatures to what was seen.
func (g *gradientTest) compareTable() {
	for _, o := range Operators() {
		for _, in := range o.Inputs {
			at := slot{qualified(&Node{Domain: o.Domain, Op: o.Name}), in.Name}
			if undifferentiated[at] != "" {
				continue
			}
			s := g.slots[at]
			switch flows := s != nil && s.cases > 0; {
			case flows && !in.Gradient:
				g.t.Errorf("%s: a gradient flows to %s, but its signature has no ' there", o.Name, in.Name)
			case !flows && in.Gradient:
				g.t.Errorf("%s: no case has a gradient for %s, as its signature promises; gradientCases needs one", o.Name, in.Name)
			}
		}
	}
}

// log prints the errors by operator and input.
func (g *gradientTest) log() {
	operators := map[string]bool{}
	for _, s := range slices.SortedFunc(maps.Keys(g.slots), func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.operator, b.operator), cmp.Compare(a.input, b.input))
	}) {
		if v := g.slots[s]; v.cases > 0 {
			operators[s.operator] = true
			g.t.Logf("%-40s %4d cases %5d elements, largest error %.1e (%s), %.1e beyond rounding", fmt.Sprint(s.operator, " ", s.input), v.cases, v.checked, v.worst, v.where, v.beyond)
		}
	}
	g.t.Logf("%d operators have a gradient", len(operators))
}

// gradientCases are operators, or inputs of them, that the ONNX project has no
// test for, or none in which a gradient could be seen.
func gradientCases(t *testing.T) []gradientCase {
	up := newDraft(9).floats("scales", []int64{4}, 1, 1, 2, 3).input("x", 1, 2, 3, 3).
		node("Upsample", names("x", "scales"), names("y")).output("y").model(t)
	recurrent := attr("hidden_size", 5)
	boxes := newDraft(11).floats("rois", []int64{2, 5}, 0, 0, 0, 3, 2, 0, 1, 1, 3, 3).input("x", 1, 2, 4, 4).
		node("MaxRoiPool", names("x", "rois"), names("y"), attr("pooled_shape", []int64{2, 2})).output("y").model(t)
	return append(append(mlGradientCases(t), combinedCases(t)...), []gradientCase{
		ourCase(t, 13, "Cast", [][]int{{3, 4}}, attr("to", 1)),
		ourCase(t, 15, "CastLike", [][]int{{3, 4}, {1}}),
		ourCase(t, 11, "Conv", [][]int{{2, 3, 5, 5}, {4, 3, 3, 3}, {4}}),
		ourCase(t, 11, "ConvTranspose", [][]int{{2, 3, 4, 4}, {3, 2, 3, 3}, {2}}),
		ourCase(t, 2, "GlobalLpPool", [][]int{{2, 3, 4, 4}}),
		ourCase(t, 14, "RNN", [][]int{{4, 2, 3}, {1, 5, 3}, {1, 5, 5}, {1, 10}, nil, {1, 2, 5}}, recurrent),
		ourCase(t, 14, "GRU", [][]int{{4, 2, 3}, {1, 15, 3}, {1, 15, 5}, {1, 30}, nil, {1, 2, 5}}, recurrent),
		ourCase(t, 14, "LSTM", [][]int{{4, 2, 3}, {1, 20, 3}, {1, 20, 5}, {1, 40}, nil, {1, 2, 5}, {1, 2, 5}, {1, 15}}, recurrent),
		ourCase(t, 14, "Trilu", [][]int{{4, 4}}),
		{"our case of Upsample", up, []*Tensor{randomTensor("x", []int{1, 2, 3, 3}, 1)}},
		{"our case of MaxRoiPool", boxes, []*Tensor{randomTensor("x", []int{1, 2, 4, 4}, 1)}},
	}...)
}

// ourCase is one node with random inputs of the given shapes; nil stands for one
// that is not given.
func ourCase(t *testing.T, opset int64, operator string, shapes [][]int, attrs ...*onnxpb.AttributeProto) gradientCase {
	t.Helper()
	d := newDraft(opset)
	var in []string
	var values []*Tensor
	for i, shape := range shapes {
		if shape == nil {
			in = append(in, "")
			continue
		}
		v := randomTensor(fmt.Sprint("in", i), shape, uint64(i))
		dims := make([]any, len(shape))
		for k, size := range shape {
			dims[k] = size
		}
		d.input(v.Name, dims...)
		in, values = append(in, v.Name), append(values, v)
	}
	what := ours + operator
	for _, a := range attrs {
		what += " " + attrText(a)
	}
	m := d.node(operator, in, []string{"out"}, attrs...).output("out").model(t)
	return gradientCase{what, m, values}
}

func randomTensor(name string, shape []int, seed uint64) *Tensor {
	random := rand.New(rand.NewPCG(4, seed))
	v := &Tensor{Name: name, DType: Float32, Shape: shape, F: make([]float32, product(shape))}
	for k := range v.F {
		v.F[k] = float32(random.NormFloat64()) / 2
	}
	return v
}
