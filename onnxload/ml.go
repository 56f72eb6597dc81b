package onnxload

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/op"
)

// mlDomain is ONNX's domain of classical machine learning, in which the exports
// of scikit-learn and the like begin and end.
const mlDomain = "ai.onnx.ml"

// mlOperators is every operator of that domain that can be lowered.
var mlOperators = map[string]*operator{
	"ArrayFeatureExtractor":  {lower: lowerArrayFeatureExtractor, since: 1, in: "X' Y", names: true},
	"Binarizer":              {lower: lowerBinarizer, since: 1, in: "X"},
	"FeatureVectorizer":      {lower: lowerFeatureVectorizer, since: 1, in: "X'..."},
	"Imputer":                {lower: lowerImputer, since: 1, in: "X'"},
	"LabelEncoder":           {lower: lowerLabelEncoder, since: 2, in: "X"},
	"LinearClassifier":       {lower: lowerLinearClassifier, since: 1, in: "X' coefficients'? intercepts'?"},
	"LinearRegressor":        {lower: lowerLinearRegressor, since: 1, in: "X' coefficients'? intercepts'?"},
	"Normalizer":             {lower: lowerNormalizer, since: 1, in: "X'"},
	"OneHotEncoder":          {lower: lowerOneHotEncoder, since: 1, in: "X"},
	"Scaler":                 {lower: lowerScaler, since: 1, in: "X'"},
	"TreeEnsemble":           {lower: lowerTreeEnsemble, since: 5, in: "X"},
	"TreeEnsembleClassifier": {lower: lowerTreeEnsembleClassifier, since: 1, in: "X"},
	"TreeEnsembleRegressor":  {lower: lowerTreeEnsembleRegressor, since: 1, in: "X"},
	"ZipMap":                 {lower: lowerZipMap, since: 1, in: "X'", view: true},
}

// floatInput is input i as float32, of whatever type it is.
func (c *call) floatInput(i int) (*G.Node, error) { return op.ToFloat(c.node(i)) }

// perFeature is a list of numbers as a leaf, one for each place on the last axis
// of input 0 or one for all.
func (c *call) perFeature(name string, list []float32) (*G.Node, error) {
	if n := c.features(); len(list) != 1 && len(list) != n {
		return nil, fmt.Errorf("%s has %d numbers for %d features", name, len(list), n)
	}
	return c.constant([]int{len(list)}, list...), nil
}

// features is the length of the last axis of input 0.
func (c *call) features() int {
	if c.rank(0) == 0 {
		return 1
	}
	return c.shape(0)[c.rank(0)-1]
}

// Scaler: (x − offset)·scale, each one number or one a feature.
// https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html
func lowerScaler(c *call) ([]*value, error) {
	x, err := c.floatInput(0)
	if err != nil {
		return nil, err
	}
	offset, err := c.perFeature("offset", c.Attrs.Floats("offset", []float32{0}))
	if err != nil {
		return nil, err
	}
	scale, err := c.perFeature("scale", c.Attrs.Floats("scale", []float32{1}))
	if err != nil {
		return nil, err
	}
	var f formula
	return c.resultAs(Float32, f.mul(f.sub(x, offset), scale), f.err)
}

// Normalizer: each row, along the last axis, divided by its norm: the largest
// element (MAX), the sum of sizes (L1) or the root of the sum of squares (L2). A row of
// norm 0 stays as it is. Behind a Sigmoid, as scikit-learn writes one against all
// others, the L1 norm makes what the softmax of the logarithms would: it is trained
// through those.
// https://onnx.ai/onnx/operators/onnx_aionnxml_Normalizer.html
func lowerNormalizer(c *call) ([]*value, error) {
	x, err := c.floatInput(0)
	if err != nil {
		return nil, err
	}
	var f formula
	last := max(c.rank(0)-1, 0)
	var size *G.Node
	switch norm := c.Attrs.String("norm", "MAX"); norm {
	case "MAX":
		size = f.reduce(op.ReduceMax, x, true, last)
	case "L1":
		size = f.reduce(op.ReduceL1, x, true, last)
	case "L2":
		size = f.reduce(op.ReduceL2, x, true, last)
	default:
		return nil, fmt.Errorf("norm %q is none of MAX, L1, L2", norm)
	}
	if f.err == nil {
		size = f.then(op.Where(f.pair(op.Equal, size, c.zero(Float32)), c.constant(nil, 1), size))
	}
	out, err := c.resultAs(Float32, f.div(x, size), f.err)
	h := c.in[0].head
	if err != nil || h == nil || h.kind != "sigmoid" || c.Attrs.String("norm", "MAX") != "L1" || c.rank(0) != 2 {
		return out, err
	}
	// log sigmoid(z) = −softplus(−z)
	logits := f.mapped(op.Neg, f.mapped(op.Softplus, f.mapped(op.Neg, f.reshape(h.logits, c.shape(0)...))))
	out[0].head = &head{kind: "softmax", logits: logits, shape: slices.Clone(c.shape(0)), axis: 1, group: c.shape(0)[1], after: 1}
	return out, f.err
}

// Binarizer: 1 where x is above the threshold, else 0.
// https://onnx.ai/onnx/operators/onnx_aionnxml_Binarizer.html
func lowerBinarizer(c *call) ([]*value, error) {
	x, err := c.floatInput(0)
	if err != nil {
		return nil, err
	}
	n, err := op.Less(c.scalar("threshold", 0), x)
	if err == nil && c.in[0].dtype.inFloats() {
		n, err = op.ToFloat(n)
	}
	return c.result(n, err)
}

// Imputer: elements equal to the replaced value, NaN by its name, become the
// imputed one, one number or one a feature.
// https://onnx.ai/onnx/operators/onnx_aionnxml_Imputer.html
func lowerImputer(c *call) ([]*value, error) {
	x := c.node(0)
	var f formula
	var hit, with *G.Node
	if c.storageOf(0) == tensor.Int64 {
		list := c.Attrs.Ints("imputed_value_int64s", nil)
		if n := c.features(); len(list) != 1 && len(list) != n {
			return nil, fmt.Errorf("imputed_value_int64s has %d numbers for %d features", len(list), n)
		}
		hit = f.pair(op.Equal, x, c.constantInts(nil, []int64{int64(c.Attrs.Int("replaced_value_int64", 0))}))
		with = c.constantInts([]int{len(list)}, toInts64(list))
	} else {
		var err error
		if with, err = c.perFeature("imputed_value_floats", c.Attrs.Floats("imputed_value_floats", nil)); err != nil {
			return nil, err
		}
		if replaced := c.Attrs.Float("replaced_value_float", 0); math.IsNaN(float64(replaced)) {
			hit = f.then(op.IsNaN(x))
		} else {
			hit = f.pair(op.Equal, x, c.constant(nil, replaced))
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	return c.result(op.Where(hit, with, x))
}

// ArrayFeatureExtractor: the elements of the last axis at the given indices. Of names
// in a row it is the indices: training needs no names.
// https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html
func lowerArrayFeatureExtractor(c *call) ([]*value, error) {
	count := c.in[1].size()
	var f formula
	if c.in[0].dtype == String {
		return c.resultAs(Int64, f.then(op.Reshape(c.node(1), 1, count)), f.err)
	}
	x := c.node(0)
	if c.rank(0) == 1 {
		x = f.reshape(x, 1, c.shape(0)[0])
	}
	index := f.reshape(c.node(1), count)
	if f.err != nil {
		return nil, f.err
	}
	return c.result(op.Gather(x, index, max(c.rank(0), 2)-1))
}

// FeatureVectorizer: the inputs side by side, a row an example; attribute
// inputdimensions says how many features each has.
// https://onnx.ai/onnx/operators/onnx_aionnxml_FeatureVectorizer.html
func lowerFeatureVectorizer(c *call) ([]*value, error) {
	var f formula
	var parts []*G.Node
	for i, v := range c.in {
		if v == nil || len(v.shape) == 0 || len(v.shape) > 2 {
			return nil, fmt.Errorf("input %d is missing or has another rank than 1 or 2", i)
		}
		rows := 1
		if len(v.shape) == 2 {
			rows = v.shape[0]
		}
		parts = append(parts, f.reshape(f.then(op.ToFloat(c.node(i))), rows, v.size()/max(rows, 1)))
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("has no inputs")
	}
	return c.resultAs(Float32, f.concat(1, parts...), f.err)
}

// ZipMap: a map from the names of classes to scores for each row. Here it is the
// tensor of scores: training needs no names, and the exported file keeps the node.
// https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
func lowerZipMap(c *call) ([]*value, error) { return c.same(0), nil }

func toInts64(list []int) []int64 {
	out := make([]int64, len(list))
	for i, v := range list {
		out[i] = int64(v)
	}
	return out
}
