package onnxload

import (
	"bytes"
	"fmt"
	"testing"

	"finetune/internal/onnxpb"
)

// combinedCases are the operators with attributes that change what is computed, in
// many combinations of them, on small random inputs.
func combinedCases(t *testing.T) []gradientCase {
	var list []gradientCase
	add := func(opset int64, operator string, shapes [][]int, choices ...choice) {
		for _, attrs := range combinations(choices) {
			list = append(list, ourCase(t, opset, operator, shapes, attrs...))
		}
	}
	line, image, volume := []int{1, 2, 9}, []int{1, 4, 7, 6}, []int{1, 2, 4, 5, 4}

	// Convolutions: by each number of axes, grouped, by stride, dilation and padding.
	add(11, "Conv", [][]int{line, {3, 2, 3}, {3}}, either("strides", []int64{1}, []int64{2}), either("pads", []int64{0, 0}, []int64{2, 1}), either("dilations", []int64{1}, []int64{2}))
	for _, group := range []int{1, 2, 4} {
		add(11, "Conv", [][]int{image, {4, 4 / group, 3, 2}, {4}}, either("group", group), either("strides", []int64{1, 1}, []int64{2, 3}),
			either("pads", []int64{0, 0, 0, 0}, []int64{1, 0, 2, 1}), either("dilations", []int64{1, 1}, []int64{2, 1}))
		add(11, "ConvTranspose", [][]int{image, {4, 2, 3, 2}, {2 * group}}, either("group", group), either("strides", []int64{1, 1}, []int64{2, 3}),
			either("pads", []int64{0, 0, 0, 0}, []int64{1, 0, 1, 1}), either("dilations", []int64{1, 1}, []int64{2, 1}))
	}
	add(11, "Conv", [][]int{image, {2, 4, 3, 3}}, either("auto_pad", "SAME_UPPER", "SAME_LOWER", "VALID"), either("strides", []int64{1, 1}, []int64{2, 2}))
	add(11, "Conv", [][]int{volume, {2, 2, 2, 3, 2}, {2}}, either("strides", []int64{1, 1, 1}, []int64{2, 1, 2}), either("pads", []int64{0, 0, 0, 0, 0, 0}, []int64{1, 0, 1, 0, 1, 0}))
	add(11, "ConvTranspose", [][]int{line, {2, 3, 3}}, either("strides", []int64{2}), either("output_padding", []int64{0}, []int64{1}))
	add(11, "ConvTranspose", [][]int{volume, {2, 1, 2, 2, 2}}, either("strides", []int64{1, 1, 1}, []int64{2, 2, 1}))

	// Pools.
	for _, pool := range []string{"MaxPool", "AveragePool", "LpPool"} {
		add(22, pool, [][]int{line}, either("kernel_shape", []int64{3}), either("strides", []int64{1}, []int64{2}), either("ceil_mode", 0, 1))
		add(22, pool, [][]int{image}, either("kernel_shape", []int64{3, 2}), either("strides", []int64{1, 1}, []int64{2, 2}),
			either("pads", []int64{0, 0, 0, 0}, []int64{1, 1, 0, 1}), either("dilations", []int64{1, 1}, []int64{2, 1}), either("ceil_mode", 0, 1))
		add(22, pool, [][]int{volume}, either("kernel_shape", []int64{2, 2, 2}), either("strides", []int64{1, 1, 1}, []int64{2, 2, 2}))
	}
	add(22, "AveragePool", [][]int{image}, either("kernel_shape", []int64{3, 3}), either("pads", []int64{1, 1, 1, 1}), either("count_include_pad", 0, 1))
	add(22, "LpPool", [][]int{image}, either("kernel_shape", []int64{2, 2}), either("p", 1, 2, 3))

	// Recurrent layers.
	for _, direction := range []string{"forward", "reverse", "bidirectional"} {
		n := 1
		if direction == "bidirectional" {
			n = 2
		}
		both := func(activations ...string) []string {
			if n == 2 {
				return append(activations, activations...)
			}
			return activations
		}
		common := []choice{either("hidden_size", 3), either("direction", direction)}
		x, state := []int{4, 2, 2}, []int{n, 2, 3}
		add(14, "RNN", [][]int{x, {n, 3, 2}, {n, 3, 3}, {n, 6}, nil, state}, append(common, either("activations", both("Tanh"), both("Relu"), both("Sigmoid")), either("clip", 0.4, 9.0))...)
		add(14, "GRU", [][]int{x, {n, 9, 2}, {n, 9, 3}, {n, 18}, nil, state}, append(common, either("linear_before_reset", 0, 1), either("activations", both("Sigmoid", "Tanh"), both("HardSigmoid", "Softsign")))...)
		add(14, "LSTM", [][]int{x, {n, 12, 2}, {n, 12, 3}, {n, 24}, nil, state, state, {n, 9}}, append(common, either("input_forget", 0, 1), either("activations", both("Sigmoid", "Tanh", "Tanh"), both("Sigmoid", "Softsign", "Elu")))...)
	}
	for _, kind := range []struct {
		name  string
		gates int
	}{{"RNN", 1}, {"GRU", 3}, {"LSTM", 4}} {
		add(14, kind.name, [][]int{{2, 4, 2}, {1, 3 * kind.gates, 2}, {1, 3 * kind.gates, 3}}, either("hidden_size", 3), either("layout", 1))
	}

	// Normalisations.
	for _, axis := range []int{0, 1, -1} {
		add(23, "RMSNormalization", [][]int{{2, 3, 4}, {4}}, either("axis", axis), either("epsilon", 1e-5, 0.1))
		add(17, "LayerNormalization", [][]int{{2, 3, 4}, {4}, {4}}, either("axis", axis), either("epsilon", 1e-5, 0.1))
		add(22, "LpNormalization", [][]int{{2, 3, 4}}, either("axis", axis), either("p", 1, 2))
	}
	add(13, "MeanVarianceNormalization", [][]int{image}, either("axes", []int64{0, 2, 3}, []int64{2, 3}, []int64{1}))
	add(21, "GroupNormalization", [][]int{image, {4}, {4}}, either("num_groups", 1, 2, 4))
	add(13, "LRN", [][]int{image}, either("size", 1, 3, 4), either("beta", 0.75, 1.0))

	// One axis or several.
	for _, softmax := range []string{"Softmax", "LogSoftmax"} {
		add(11, softmax, [][]int{{2, 3, 4}}, either("axis", 0, 1, 2))
		add(13, softmax, [][]int{{2, 3, 4}}, either("axis", 0, 1, -1))
	}
	for _, reduce := range []string{"ReduceL1", "ReduceL2", "ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd", "ReduceMax", "ReduceMin"} {
		add(11, reduce, [][]int{{2, 3, 4}}, either("axes", []int64{0}, []int64{1, 2}, []int64{-1}), either("keepdims", 0, 1))
	}

	// Products.
	add(13, "Gemm", [][]int{{3, 3}, {3, 3}, {3}}, either("transA", 0, 1), either("transB", 0, 1), either("alpha", 1.0, 0.5), either("beta", 1.0, 2.0))
	for _, shapes := range [][][]int{{{3}, {3}}, {{3}, {3, 2}}, {{2, 3}, {3}}, {{2, 1, 2, 3}, {4, 3, 2}}} {
		add(13, "MatMul", shapes)
	}

	// Shapes.
	add(13, "DepthToSpace", [][]int{{1, 8, 2, 3}}, either("blocksize", 2), either("mode", "DCR", "CRD"))
	add(13, "Transpose", [][]int{{2, 3, 4}}, either("perm", []int64{2, 0, 1}, []int64{0, 2, 1}))
	add(20, "Gelu", [][]int{{2, 5}}, either("approximate", "none", "tanh"))
	return list
}

// choice is an attribute and the values that it takes in turn.
type choice struct {
	name   string
	values []any
}

func either[T any](name string, values ...T) choice {
	c := choice{name: name}
	for _, v := range values {
		c.values = append(c.values, v)
	}
	return c
}

// combinations are the attributes with every value of each.
func combinations(choices []choice) [][]*onnxpb.AttributeProto {
	if len(choices) == 0 {
		return [][]*onnxpb.AttributeProto{nil}
	}
	var list [][]*onnxpb.AttributeProto
	for _, v := range choices[0].values {
		for _, rest := range combinations(choices[1:]) {
			list = append(list, append([]*onnxpb.AttributeProto{attr(choices[0].name, v)}, rest...))
		}
	}
	return list
}

// attrText is an attribute in a few words.
func attrText(a *onnxpb.AttributeProto) string {
	var value any
	switch a.GetType() {
	case onnxpb.AttributeProto_INT:
		value = a.GetI()
	case onnxpb.AttributeProto_FLOAT:
		value = a.GetF()
	case onnxpb.AttributeProto_STRING:
		value = string(a.GetS())
	case onnxpb.AttributeProto_INTS:
		value = a.Ints
	case onnxpb.AttributeProto_FLOATS:
		value = a.Floats
	case onnxpb.AttributeProto_STRINGS:
		value = string(bytes.Join(a.Strings, []byte(",")))
	}
	return fmt.Sprintf("%s=%v", a.GetName(), value)
}
