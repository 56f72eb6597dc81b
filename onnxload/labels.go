package onnxload

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"finetune/internal/op"
)

// LabelEncoder: each element looked up in a table of keys and values, which
// attributes of their types hold; a default for those that are not there. Values
// that are strings are their numbers in the table here. No gradient flows.
// https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html, opsets 2 to 4.
// Rejected: keys that are strings.
func lowerLabelEncoder(c *call) ([]*value, error) {
	keys, _, err := c.table("keys")
	if err != nil {
		return nil, err
	}
	values, dt, err := c.table("values")
	if err != nil {
		return nil, err
	}
	if keys.Len() != values.Len() || keys.Len() == 0 {
		return nil, fmt.Errorf("%d keys and %d values", keys.Len(), values.Len())
	}
	rest := op.Buffer{I: []int64{int64(c.Attrs.Int("default_int64", -1))}}
	if values.F != nil {
		rest = op.Buffer{F: []float32{c.Attrs.Float("default_float", float32(math.Copysign(0, -1)))}}
	}
	if t := c.Attrs.Tensor("default_tensor"); t != nil && len(t.F) == len(rest.F) && len(t.I) == len(rest.I) {
		rest = op.Buffer{F: t.F, I: t.I}
	}
	// Every number that we hold is told apart by its float64.
	place := map[float64]int{}
	missing := -1 // the place of NaN, which no map finds
	for i := range keys.Len() {
		if k := numberAt(keys, i); k == k {
			place[k] = i
		} else {
			missing = i
		}
	}
	st, _ := dt.storage()
	n, err := op.Compute("LabelEncoder", c.shape(0), st, func(k *op.Call) error {
		for i := range k.Out.Len() {
			x := numberAt(k.In[0], i)
			at, ok := place[x]
			if x != x && missing >= 0 {
				at, ok = missing, true
			}
			from := values
			if !ok {
				from, at = rest, 0
			}
			if k.Out.F != nil {
				k.Out.F[i] = from.F[at]
			} else {
				k.Out.I[i] = from.I[at]
			}
		}
		return nil
	}, c.node(0))
	return c.resultAs(dt, n, err)
}

func numberAt(b op.Buffer, i int) float64 {
	if b.F != nil {
		return float64(b.F[i])
	}
	return float64(b.I[i])
}

// table is the keys or the values of a LabelEncoder.
func (c *call) table(kind string) (op.Buffer, DType, error) {
	if t := c.Attrs.Tensor(kind + "_tensor"); t != nil {
		if _, ok := t.DType.storage(); !ok {
			return op.Buffer{}, "", unsupported(c.Node, fmt.Sprintf("%s of type %s are not supported", kind, t.DType))
		}
		return op.Buffer{F: t.F, I: t.I}, t.DType, nil
	}
	if list := c.Attrs.Floats(kind+"_floats", nil); list != nil {
		return op.Buffer{F: list}, Float32, nil
	}
	if list := c.Attrs.Ints(kind+"_int64s", nil); list != nil {
		return op.Buffer{I: toInts64(list)}, Int64, nil
	}
	list := c.Attrs.Strings(kind+"_strings", nil)
	if list == nil || kind == "keys" {
		return op.Buffer{}, "", unsupported(c.Node, kind+" that are strings are not supported")
	}
	numbers := make([]int64, len(list))
	for i := range numbers {
		numbers[i] = int64(i)
	}
	return op.Buffer{I: numbers}, Int64, nil
}

// OneHotEncoder: along a new last axis, 1 for the category that the element is and
// 0 for the others, of attribute cats_int64s. What is none of them gives zeros, or
// an error with attribute zeros 0. No gradient flows.
// https://onnx.ai/onnx/operators/onnx_aionnxml_OneHotEncoder.html. Rejected:
// categories that are strings.
func lowerOneHotEncoder(c *call) ([]*value, error) {
	list := c.Attrs.Ints("cats_int64s", nil)
	if list == nil {
		return nil, unsupported(c.Node, "categories that are strings are not supported")
	}
	place := map[int64]int{}
	for i, v := range list {
		place[int64(v)] = i
	}
	strict := c.Attrs.Int("zeros", 1) == 0
	shape := append(append([]int{}, c.shape(0)...), len(list))
	n, err := op.Compute("OneHotEncoder", shape, tensor.Float32, func(k *op.Call) error {
		clear(k.Out.F)
		for i := range k.In[0].Len() {
			x := numberAt(k.In[0], i)
			if at, ok := place[int64(x)]; ok {
				k.Out.F[i*len(list)+at] = 1
			} else if strict {
				return fmt.Errorf("element %d, %g, is none of the categories", i, x)
			}
		}
		return nil
	}, c.node(0))
	return c.resultAs(Float32, n, err)
}
