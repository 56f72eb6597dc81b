package onnxload

import (
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
	"finetune/internal/op"
	"finetune/optim"
)

// mlNode is a model of one node of domain ai.onnx.ml that reads x and makes y.
func mlNode(operator string, dims []any, attrs ...*onnxpb.AttributeProto) *draft {
	return newDraft(17).input("x", dims...).node(operator, names("x"), names("y"), attrs...).in(mlDomain, 3).output("y")
}

// mlGradientCases are the operators of ai.onnx.ml that have a gradient.
func mlGradientCases(t *testing.T) []gradientCase {
	var list []gradientCase
	add := func(what string, m *Model) {
		list = append(list, gradientCase{"our case of " + what, m, []*Tensor{randomTensor("x", []int{2, 3}, 8)}})
	}
	square := []any{2, 3}
	add("Scaler", mlNode("Scaler", square, attr("offset", []float32{1, 2, 3}), attr("scale", []float32{2})).model(t))
	for _, norm := range []string{"MAX", "L1", "L2"} {
		add("Normalizer "+norm, mlNode("Normalizer", square, attr("norm", norm)).model(t))
	}
	add("Imputer", mlNode("Imputer", square, attr("imputed_value_floats", []float32{9})).model(t))
	add("FeatureVectorizer", mlNode("FeatureVectorizer", square, attr("inputdimensions", []int64{3})).model(t))
	add("ZipMap", mlNode("ZipMap", square, attr("classlabels_int64s", []int64{1, 2, 3})).model(t))
	weights := attr("coefficients", []float32{1, -2, 0.5, 0.25, 3, -1})
	for _, post := range []string{"NONE", "SOFTMAX", "LOGISTIC"} {
		add("LinearRegressor "+post, mlNode("LinearRegressor", square, weights, attr("intercepts", []float32{1, -1}),
			attr("targets", 2), attr("post_transform", post)).model(t))
		classifier := mlNode("LinearClassifier", square, weights, attr("intercepts", []float32{1, -1}),
			attr("classlabels_ints", []int64{5, 7}), attr("post_transform", post))
		classifier.graph.Node[0].Output = names("label", "y")
		add("LinearClassifier "+post, classifier.model(t))
	}
	return list
}

// mlRun is the float results of a model on an input.
func mlRun(t *testing.T, m *Model, x op.Buffer) []op.Buffer {
	t.Helper()
	prog, err := m.Lower(Config{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := prog.evaluate([]op.Buffer{x})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMachineLearning checks operators of ai.onnx.ml against results worked out by
// hand.
func TestMachineLearning(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name string
		d    *draft
		x    []float32
		want []float32
	}{
		{"scaler", mlNode("Scaler", []any{1, 2}, attr("offset", []float32{1, 2}), attr("scale", []float32{10})), []float32{3, 5}, []float32{20, 30}},
		{"largest", mlNode("Normalizer", []any{2, 2}, attr("norm", "MAX")), []float32{4, -1, 0, 0}, []float32{1, -0.25, 0, 0}},
		{"sum", mlNode("Normalizer", []any{1, 2}, attr("norm", "L1")), []float32{1, -3}, []float32{0.25, -0.75}},
		{"root", mlNode("Normalizer", []any{1, 2}, attr("norm", "L2")), []float32{3, 4}, []float32{0.6, 0.8}},
		{"imputer", mlNode("Imputer", []any{2, 2}, attr("imputed_value_floats", []float32{7, 8}), attr("replaced_value_float", float64(nan))),
			[]float32{1, nan, nan, 4}, []float32{1, 8, 7, 4}},
		{"binarizer", mlNode("Binarizer", []any{3}, attr("threshold", 0.5)), []float32{0, 0.5, 0.75}, []float32{0, 0, 1}},
		{"regressor", mlNode("LinearRegressor", []any{1, 2}, attr("coefficients", []float32{1, 2, 3, 4}), attr("targets", 2)), []float32{1, 10}, []float32{21, 43}},
		{"labels", mlNode("LabelEncoder", []any{3}, attr("keys_floats", []float32{1, 2}), attr("values_floats", []float32{10, 20}), attr("default_float", -5.0)),
			[]float32{2, 1, 3}, []float32{20, 10, -5}},
		{"categories", mlNode("OneHotEncoder", []any{2}, attr("cats_int64s", []int64{4, 6})), []float32{6, 5}, []float32{0, 1, 0, 0}},
	} {
		got := mlRun(t, c.d.model(t), op.Buffer{F: c.x})[0].F
		for i, w := range c.want {
			if len(got) != len(c.want) || math.Abs(float64(got[i]-w)) > 1e-6 {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

// TestLinearClassifier checks labels and scores, that the weights are parameters,
// and that what scikit-learn writes against all others is trained as a softmax.
func TestLinearClassifier(t *testing.T) {
	d := newDraft(17).input("x", 2, 2).
		node("LinearClassifier", names("x"), names("label", "scores"), attr("coefficients", []float32{1, 0, 0, 1, -1, -1}),
			attr("intercepts", []float32{0, 0, 0.5}), attr("classlabels_ints", []int64{4, 5, 6}), attr("post_transform", "LOGISTIC")).in(mlDomain, 1).
		node("Normalizer", names("scores"), names("shares"), attr("norm", "L1")).in(mlDomain, 1).
		node("ZipMap", names("shares"), names("map"), attr("classlabels_int64s", []int64{4, 5, 6})).in(mlDomain, 1).
		output("label").output("map")
	m := d.model(t)
	if got := describeRoles(m); got != "3 nodes, 1 weight, 1 bias" {
		t.Errorf("got %s", got)
	}
	w := m.Params[0]
	if w.Role != optim.Weight || !slices.Equal(w.Shape, []int{3, 2}) || w.Name != "label_node/coefficients" {
		t.Errorf("got parameter %q %v of role %s", w.Name, w.Shape, w.Role)
	}
	x := op.Buffer{F: []float32{2, 1, -1, -1}}
	out := mlRun(t, m, x)
	if want := []int64{4, 6}; !slices.Equal(out[0].I, want) {
		t.Errorf("got labels %v, want %v", out[0].I, want)
	}
	s := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	total := s(2) + s(1) + s(-2.5)
	if got, want := float64(out[1].F[1]), s(1)/total; math.Abs(got-want) > 1e-6 {
		t.Errorf("got share %v, want %v", got, want)
	}
	prog, err := m.Lower(Config{})
	if err != nil {
		t.Fatal(err)
	}
	port := prog.Outputs[1]
	if port.Activation != "softmax" || port.Axis != 1 {
		t.Fatalf("got activation %q along %d, want a softmax", port.Activation, port.Axis)
	}
	prog.Outputs[1].Node = port.Logits
	logits, err := prog.evaluate([]op.Buffer{x})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range logits[1].F[:3] {
		sum += math.Exp(float64(v))
	}
	if got, want := math.Exp(float64(logits[1].F[1]))/sum, s(1)/total; math.Abs(got-want) > 1e-6 {
		t.Errorf("got %v by way of the logits, want %v", got, want)
	}
}

// TestTrees checks trees of the older operators, and that bad ones are errors.
func TestTrees(t *testing.T) {
	// x₁ ≤ 1.5 leads to 10, else x₀ > 0 to 20 and else to 30; a second tree gives 1.
	trees := func(more ...*onnxpb.AttributeProto) []*onnxpb.AttributeProto {
		return append(more, attr("nodes_treeids", []int64{0, 0, 0, 0, 0, 1}), attr("nodes_nodeids", []int64{0, 1, 2, 3, 4, 0}),
			attr("nodes_featureids", []int64{1, 0, 0, 0, 0, 0}), attr("nodes_values", []float32{1.5, 0, 0, 0, 0, 0}),
			attr("nodes_modes", []string{"BRANCH_LEQ", "LEAF", "BRANCH_GT", "LEAF", "LEAF", "LEAF"}))
	}
	leaves := func(kind string) []*onnxpb.AttributeProto {
		return []*onnxpb.AttributeProto{attr(kind+"_treeids", []int64{0, 0, 0, 1}), attr(kind+"_nodeids", []int64{1, 3, 4, 0}),
			attr(kind+"_ids", []int64{0, 0, 0, 0}), attr(kind+"_weights", []float32{10, 20, 30, 1})}
	}
	yes, no := attr("nodes_truenodeids", []int64{1, 0, 3, 0, 0, 0}), attr("nodes_falsenodeids", []int64{2, 0, 4, 0, 0, 0})
	x := op.Buffer{F: []float32{0, 1, 1, 2, -1, 2}}
	for aggregate, want := range map[string][]float32{"SUM": {11, 21, 31}, "MIN": {1, 1, 1}, "MAX": {10, 20, 30}, "AVERAGE": {5.5, 10.5, 15.5}} {
		m := mlNode("TreeEnsembleRegressor", []any{3, 2}, append(trees(yes, no, attr("aggregate_function", aggregate)), leaves("target")...)...).model(t)
		if got := mlRun(t, m, x)[0].F; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", aggregate, got, want)
		}
	}
	for what, attrs := range map[string][]*onnxpb.AttributeProto{
		"circle":   append(trees(yes, attr("nodes_falsenodeids", []int64{2, 0, 2, 0, 0, 0})), leaves("target")...),
		"leads to": append(trees(yes, attr("nodes_falsenodeids", []int64{9, 0, 4, 0, 0, 0})), leaves("target")...),
		"differ":   append(trees(yes, no), attr("target_treeids", []int64{0})),
		"asks for": append(trees(yes, no, attr("aggregate_function", "SUM")), leaves("target")...),
	} {
		dims, data := []any{3, 2}, x
		if what == "asks for" {
			dims, data = []any{3, 1}, op.Buffer{F: x.F[:3]}
		}
		prog, err := mlNode("TreeEnsembleRegressor", dims, attrs...).model(t).Lower(Config{})
		if err == nil {
			_, err = prog.evaluate([]op.Buffer{data})
		}
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got error %v, want it to say %q", err, what)
		}
	}
}

// TestNames checks that names of classes at the end of a graph are their numbers.
func TestNames(t *testing.T) {
	d := newDraft(13).input("x", 2, 3).
		node("ArgMax", names("x"), names("best"), attr("axis", 1), attr("keepdims", 0)).
		node("ArrayFeatureExtractor", names("classes", "best"), names("label")).in(mlDomain, 1).
		node("Cast", names("label"), names("name"), attr("to", int(onnxpb.TensorProto_STRING))).output("name")
	d.graph.Initializer = append(d.graph.Initializer, &onnxpb.TensorProto{
		Name: proto.String("classes"), DataType: proto.Int32(int32(onnxpb.TensorProto_STRING)), Dims: []int64{3},
		StringData: [][]byte{[]byte("setosa"), []byte("versicolor"), []byte("virginica")},
	})
	got := mlRun(t, d.model(t), op.Buffer{F: []float32{0, 2, 1, 5, 3, 4}})[0].I
	if want := []int64{1, 0}; !slices.Equal(got, want) {
		t.Errorf("got classes %v, want %v", got, want)
	}
}
