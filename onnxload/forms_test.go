package onnxload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"finetune/internal/onnxpb"
	"finetune/internal/op"
)

// form is one way to write an operator down.
type form struct {
	opset int64
	build func(d *draft) // reads x and makes y
}

// TestForms checks that the forms of an operator that opsets have had, by an
// attribute here and by an input there, are the same.
func TestForms(t *testing.T) {
	node := func(operator string, in []string, attrs ...any) func(d *draft) {
		return func(d *draft) {
			d.node(operator, in, names("y"), attrsOf(attrs)...)
		}
	}
	// with is a node behind constants that it reads.
	with := func(constants func(d *draft), then func(d *draft)) func(d *draft) {
		return func(d *draft) {
			constants(d)
			then(d)
		}
	}
	ints := func(name string, list ...int64) func(d *draft) { return func(d *draft) { d.ints(name, list...) } }
	floats := func(name string, list ...float32) func(d *draft) {
		return func(d *draft) { d.floats(name, []int64{int64(len(list))}, list...) }
	}
	scalar := func(name string, v float32) func(d *draft) { return func(d *draft) { d.floats(name, nil, v) } }
	all := func(list ...func(d *draft)) func(d *draft) {
		return func(d *draft) {
			for _, f := range list {
				f(d)
			}
		}
	}
	x := names("x")
	statistics := all(floats("scale", 1, 2, 3), floats("shift", 0, 1, 2), floats("mean", 0.5, 0, -0.5), floats("var", 1, 2, 4))
	normalised := names("x", "scale", "shift", "mean", "var")
	none := floats("none")
	bounds := with(all(scalar("lo", -0.2), scalar("hi", 0.3)), node("Clip", names("x", "lo", "hi")))
	cut := with(all(ints("from", 1), ints("to", 3), ints("on", 2)), node("Slice", names("x", "from", "to", "on")))
	padded := with(all(ints("pads", 0, 0, 1, 0, 0, 0, 0, 2), scalar("fill", 0.5)), node("Pad", names("x", "pads", "fill")))
	doubled := []float32{1, 1, 2, 2}
	for _, c := range []struct {
		name  string
		forms []form
	}{
		{"Clip", []form{{1, node("Clip", x, "min", -0.2, "max", 0.3)}, {6, node("Clip", x, "min", -0.2, "max", 0.3)}, {11, bounds}, {12, bounds}, {13, bounds}}},
		{"Softmax over all but the first axis", []form{{1, node("Softmax", x)}, {11, node("Softmax", x)}, {1, node("Softmax", x, "axis", 1)}, {11, node("Softmax", x, "axis", -3)}}},
		{"Softmax over the last axis", []form{{1, node("Softmax", x, "axis", 3)}, {11, node("Softmax", x, "axis", -1)}, {13, node("Softmax", x)}}},
		{"LogSoftmax", []form{{1, node("LogSoftmax", x, "axis", 3)}, {11, node("LogSoftmax", x, "axis", 3)}, {13, node("LogSoftmax", x)}}},
		{"Hardmax", []form{{1, node("Hardmax", x, "axis", 3)}, {11, node("Hardmax", x, "axis", 3)}, {13, node("Hardmax", x)}}},
		{"Pad", []form{{1, node("Pad", x, "paddings", []int64{0, 0, 1, 0, 0, 0, 0, 2}, "value", 0.5)}, {2, node("Pad", x, "pads", []int64{0, 0, 1, 0, 0, 0, 0, 2}, "value", 0.5)}, {11, padded}, {13, padded}, {19, padded}}},
		{"Pad by reflection", []form{{2, node("Pad", x, "pads", []int64{0, 0, 1, 0, 0, 0, 0, 2}, "mode", "reflect")},
			{11, with(ints("pads", 0, 0, 1, 0, 0, 0, 0, 2), node("Pad", names("x", "pads"), "mode", "reflect"))}}},
		{"Slice", []form{{1, node("Slice", x, "starts", []int64{1}, "ends", []int64{3}, "axes", []int64{2})}, {10, cut}, {11, cut}, {13, cut}}},
		{"Dropout", []form{{1, node("Dropout", x, "ratio", 0.4, "is_test", 1)}, {6, node("Dropout", x, "ratio", 0.4, "is_test", 1)}, {7, node("Dropout", x, "ratio", 0.4)},
			{10, node("Dropout", x, "ratio", 0.4)}, {12, with(scalar("ratio", 0.4), node("Dropout", names("x", "ratio")))}, {13, with(scalar("ratio", 0.4), node("Dropout", names("x", "ratio")))}}},
		{"BatchNormalization", []form{{1, with(statistics, node("BatchNormalization", normalised, "is_test", 1, "consumed_inputs", []int64{0, 0, 0, 1, 1}))},
			{6, with(statistics, node("BatchNormalization", normalised, "is_test", 1))}, {7, with(statistics, node("BatchNormalization", normalised))},
			{9, with(statistics, node("BatchNormalization", normalised))}, {14, with(statistics, node("BatchNormalization", normalised, "training_mode", 0))}, {15, with(statistics, node("BatchNormalization", normalised))}}},
		{"Upsample and Resize", []form{{7, node("Upsample", x, "scales", doubled)}, {9, with(floats("scales", doubled...), node("Upsample", names("x", "scales")))},
			{10, with(floats("scales", doubled...), node("Resize", names("x", "scales")))},
			{11, with(all(none, floats("scales", doubled...)), node("Resize", names("x", "none", "scales"), "coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor"))},
			{13, with(floats("scales", doubled...), node("Resize", names("x", "-", "scales"), "coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor"))},
			{18, with(floats("scales", 2, 2), node("Resize", names("x", "-", "scales"), "coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor", "axes", []int64{2, 3}))},
			{19, with(ints("sizes", 2, 3, 8, 10), node("Resize", names("x", "-", "-", "sizes"), "coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor"))}}},
		{"Resize linearly", []form{{10, with(floats("scales", doubled...), node("Resize", names("x", "scales"), "mode", "linear"))},
			{11, with(all(none, floats("scales", doubled...)), node("Resize", names("x", "none", "scales"), "mode", "linear", "coordinate_transformation_mode", "asymmetric"))},
			{9, with(floats("scales", doubled...), node("Upsample", names("x", "scales"), "mode", "linear"))}}},
		{"Squeeze and Unsqueeze", []form{{1, all(func(d *draft) { d.node("Unsqueeze", x, names("u"), attr("axes", []int64{1})) }, node("Squeeze", names("u"), "axes", []int64{1}))},
			{11, all(func(d *draft) { d.node("Unsqueeze", x, names("u"), attr("axes", []int64{-1})) }, node("Squeeze", names("u"), "axes", []int64{-1}))},
			{13, all(ints("at", 2), func(d *draft) { d.node("Unsqueeze", names("x", "at"), names("u")) }, node("Squeeze", names("u", "at")))},
			{13, node("Identity", x)}}},
		{"Split", []form{{2, half("Split", nil, "axis", 3, "split", []int64{2, 3})}, {11, half("Split", nil, "axis", -1, "split", []int64{2, 3})},
			{13, half("Split", []int64{2, 3}, "axis", 3)}, {18, half("Split", []int64{2, 3}, "axis", 3)}}},
		{"TopK", []form{{8, best(nil, "k", 2, "axis", 3)}, {10, best([]int64{2}, "axis", 3)}, {11, best([]int64{2}, "axis", -1, "largest", 1)}}},
		{"Gemm", []form{{6, gemm("broadcast", 1)}, {7, gemm()}, {11, gemm()}}},
		{"Add", []form{{6, with(floats("b", 1, 2, 3), node("Add", names("x", "b"), "broadcast", 1, "axis", 1))},
			{7, with(func(d *draft) { d.floats("b", []int64{3, 1, 1}, 1, 2, 3) }, node("Add", names("x", "b")))}}},
		{"PRelu", []form{{6, with(floats("slope", 0.1, 0.2, 0.3), node("PRelu", names("x", "slope")))},
			{7, with(func(d *draft) { d.floats("slope", []int64{3, 1, 1}, 0.1, 0.2, 0.3) }, node("PRelu", names("x", "slope")))}}},
	} {
		compareForms(t, c.name, c.forms)
	}
	for reduce, since := range map[string]int64{"ReduceSum": 13, "ReduceL1": 18, "ReduceL2": 18, "ReduceLogSumExp": 18, "ReduceMax": 18, "ReduceMean": 18, "ReduceMin": 18, "ReduceProd": 18, "ReduceSumSquare": 18} {
		compareForms(t, reduce, []form{{1, node(reduce, x, "axes", []int64{1, 3})}, {11, node(reduce, x, "axes", []int64{1, -1})},
			{since, with(ints("axes", 1, 3), node(reduce, names("x", "axes")))}, {since, with(ints("axes", 1, -1), node(reduce, names("x", "axes"), "keepdims", 1))}})
		compareForms(t, reduce+" without axes", []form{{1, node(reduce, x, "keepdims", 0)}, {since, node(reduce, x, "keepdims", 0)}})
	}
}

// attrsOf is attributes given as names and values in turn.
func attrsOf(list []any) []*onnxpb.AttributeProto {
	var attrs []*onnxpb.AttributeProto
	for i := 0; i < len(list); i += 2 {
		attrs = append(attrs, attr(list[i].(string), list[i+1]))
	}
	return attrs
}

// half is the second of the parts that x is split into, of lengths in an input or
// in an attribute.
func half(operator string, lengths []int64, attrs ...any) func(d *draft) {
	return func(d *draft) {
		in := names("x")
		if lengths != nil {
			d.ints("lengths", lengths...)
			in = names("x", "lengths")
		}
		d.node(operator, in, names("first", "y"), attrsOf(attrs)...)
	}
}

// best is the places that TopK finds, as floats, and the values, added up.
func best(k []int64, attrs ...any) func(d *draft) {
	return func(d *draft) {
		in := names("x")
		if k != nil {
			d.ints("k", k...)
			in = names("x", "k")
		}
		d.node("TopK", in, names("values", "places"), attrsOf(attrs)...).
			node("Cast", names("places"), names("number"), attr("to", 1)).
			node("Add", names("values", "number"), names("y"))
	}
}

func gemm(attrs ...any) func(d *draft) {
	return func(d *draft) {
		d.node("Flatten", names("x"), names("rows"), attr("axis", 3))
		d.floats("b", []int64{5, 2}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10).floats("c", []int64{2}, 0.5, -0.5)
		d.node("Gemm", names("rows", "b", "c"), names("y"), attrsOf(attrs)...)
	}
}

// compareForms runs a model of each form on the same input.
func compareForms(t *testing.T, name string, forms []form) {
	t.Helper()
	rng := rand.New(rand.NewPCG(9, 9))
	x := op.Buffer{F: make([]float32, 2*3*4*5)}
	for i := range x.F {
		x.F[i] = float32(rng.NormFloat64())
	}
	var want []float32
	var shape []int
	for i, f := range forms {
		what := fmt.Sprintf("%s, form %d (opset %d)", name, i+1, f.opset)
		d := newDraft(f.opset).input("x", 2, 3, 4, 5)
		f.build(d)
		prog, err := d.output("y").model(t).Lower(Config{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		out, err := prog.evaluate([]op.Buffer{x})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		got := out[0].F
		if want == nil {
			want, shape = got, prog.Outputs[0].Shape
			continue
		}
		if !slices.Equal(shape, prog.Outputs[0].Shape) {
			t.Errorf("%s: got shape %v, want %v", what, prog.Outputs[0].Shape, shape)
			continue
		}
		for k, w := range want {
			if math.Abs(float64(got[k]-w)) > 1e-5 {
				t.Errorf("%s: element %d: got %v, want %v", what, k, got[k], w)
				break
			}
		}
	}
}
