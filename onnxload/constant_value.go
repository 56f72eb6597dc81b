package onnxload

import "strings"

// constantValue is the value of a Constant node, which is held by one of
// several attributes.
func constantValue(n *Node) (*Tensor, error) {
	at := Origin{Node: n.Index}
	var t *Tensor
	for _, name := range n.Attrs.Names() {
		if t != nil && strings.HasPrefix(name, "value") {
			return nil, formatError("", "has two values, %q and %q", at.Attr, name)
		}
		switch name {
		case "value", "sparse_value":
			if found := n.Attrs.Tensor(name); found != nil {
				c := *found
				t = &c
				at = c.At
				at.Node = n.Index
			}
		case "value_float":
			t = &Tensor{DType: Float32, Shape: []int{}, F: []float32{n.Attrs.Float(name, 0)}}
		case "value_floats":
			f := n.Attrs.Floats(name, nil)
			t = &Tensor{DType: Float32, Shape: []int{len(f)}, F: f}
		case "value_int":
			t = &Tensor{DType: Int64, Shape: []int{}, I: []int64{int64(n.Attrs.Int(name, 0))}}
		case "value_ints":
			list := n.Attrs.Ints(name, nil)
			t = &Tensor{DType: Int64, Shape: []int{len(list)}, I: make([]int64, len(list))}
			for i, v := range list {
				t.I[i] = int64(v)
			}
		case "value_string":
			t = &Tensor{DType: String, Shape: []int{}}
		case "value_strings":
			t = &Tensor{DType: String, Shape: []int{len(n.Attrs.Strings(name, nil))}}
		default:
			continue
		}
		at.Attr = name
	}
	if err := n.Attrs.Err(); err != nil {
		return nil, err
	}
	if t == nil {
		return nil, formatError("", "has no value")
	}
	t.At = at
	t.Name = ""
	if len(n.Outputs) > 0 {
		t.Name = n.Outputs[0]
	}
	return t, nil
}
