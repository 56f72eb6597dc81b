package export

import (
	"fmt"

	"finetune/internal/onnxpb"
	"finetune/onnxload"
)

// Numbers of fields on the way to a payload.
const (
	modelGraph       = 7
	graphNode        = 1
	graphInitializer = 5
	graphSparse      = 15
	nodeAttribute    = 5
	attributeName    = 1
	attributeFloat   = 2
	attributeTensor  = 5
	attributeFloats  = 7
	attributeSparse  = 22
	sparseValues     = 1
)

// weight is a parameter of the model and its place in a file.
type weight struct {
	*payload
	index int   // of the parameter in Model.Params
	at    []int // for a sparse tensor, which elements are stored; nil for all
}

// findWeights finds the model's parameters in a file, which is the one the
// model was read from or one written from it.
func findWeights(m *onnxload.Model, file []byte, root *message) ([]weight, error) {
	graph := all(modelGraph, root)
	dense, sparse, nodes := all(graphInitializer, graph...), all(graphSparse, graph...), all(graphNode, graph...)
	pick := func(from []*message, i int) (*message, error) {
		if i < 0 || i >= len(from) {
			return nil, fmt.Errorf("it is number %d of %d in the file", i+1, len(from))
		}
		return from[i], nil
	}
	find := func(t *onnxload.Tensor) (*payload, error) {
		switch {
		case t.At.Node >= 0:
			node, err := pick(nodes, t.At.Node)
			if err != nil {
				return nil, err
			}
			return attributePayload(file, node, t.At.Attr)
		case t.At.Sparse:
			s, err := pick(sparse, t.At.Index)
			if err != nil {
				return nil, err
			}
			return sparsePayload(file, s)
		}
		d, err := pick(dense, t.At.Index)
		if err != nil {
			return nil, err
		}
		return tensorPayload(file, d)
	}

	var weights []weight
	for i, p := range m.Params {
		t := m.Tensors[p.Name]
		if t == nil {
			return nil, fmt.Errorf("parameter %q: the model has no tensor of this name", p.Name)
		}
		payload, err := find(t)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		w := weight{payload: payload, index: i}
		if t.At.Sparse {
			if w.at, err = sparseIndices(m, t); err != nil {
				return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
			}
		}
		weights = append(weights, w)
	}
	return weights, nil
}

// attributePayload finds the numbers in an attribute of a node.
func attributePayload(file []byte, node *message, name string) (*payload, error) {
	var found *message
	for _, a := range all(nodeAttribute, node) {
		if a.text(file, attributeName) == name {
			found = a
		}
	}
	if found == nil {
		return nil, fmt.Errorf("the node has no attribute %q", name)
	}
	switch name {
	case "value_float":
		return numbersPayload(file, found, attributeFloat)
	case "value_floats", "coefficients", "intercepts": // the last two of a linear model
		return numbersPayload(file, found, attributeFloats)
	case "sparse_value":
		s, err := only(all(attributeSparse, found))
		if err != nil {
			return nil, err
		}
		return sparsePayload(file, s)
	}
	t, err := only(all(attributeTensor, found))
	if err != nil {
		return nil, err
	}
	return tensorPayload(file, t)
}

func sparsePayload(file []byte, s *message) (*payload, error) {
	values, err := only(all(sparseValues, s))
	if err != nil {
		return nil, err
	}
	return tensorPayload(file, values)
}

// only is the single message of a list. Protobuf would merge several; no
// program writes a tensor so.
func only(ms []*message) (*message, error) {
	if len(ms) != 1 {
		return nil, fmt.Errorf("its tensor comes in %d pieces", len(ms))
	}
	return ms[0], nil
}

// sparseIndices are the positions, in the dense tensor, of a sparse one's values.
func sparseIndices(m *onnxload.Model, t *onnxload.Tensor) ([]int, error) {
	var s *onnxpb.SparseTensorProto
	if t.At.Node < 0 {
		s = m.Proto.GetGraph().GetSparseInitializer()[t.At.Index]
	} else {
		for _, a := range m.Proto.GetGraph().GetNode()[t.At.Node].GetAttribute() {
			if a.GetName() == t.At.Attr {
				s = a.GetSparseTensor()
			}
		}
	}
	p := s.GetIndices()
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		return nil, fmt.Errorf("it is sparse, with its indices in another file: this is not supported")
	}
	list := p.GetInt64Data()
	if raw := p.GetRawData(); len(raw) > 0 {
		list = nil
		for ; len(raw) >= 8; raw = raw[8:] {
			list = append(list, int64(le.Uint64(raw)))
		}
	}
	step := 1
	if len(p.GetDims()) == 2 {
		step = len(t.Shape)
	}
	var at []int
	for ; len(list) >= step && step > 0; list = list[step:] {
		i := int(list[0])
		for axis := 1; axis < step; axis++ {
			i = i*t.Shape[axis] + int(list[axis])
		}
		at = append(at, i)
	}
	return at, nil
}

// stored are the values to store, in the order of the payload's elements.
func (w weight) stored(value []float32) ([]float32, error) {
	if w.at == nil {
		return value, nil
	}
	kept := make([]float32, len(w.at))
	isKept := make(map[int]bool, len(w.at))
	for i, at := range w.at {
		kept[i] = value[at]
		isKept[at] = true
	}
	for i, v := range value {
		if v != 0 && !isKept[i] {
			return nil, fmt.Errorf("it is stored sparse and its element %d, not among the stored ones, has become %g; freeze it", i, v)
		}
	}
	return kept, nil
}

// update is the payload as it is in the model's file and as it has to become.
func (w weight) update(m *onnxload.Model, s *sources) (old, now []byte, changed int, err error) {
	p := m.Params[w.index]
	fail := func(err error) ([]byte, []byte, int, error) {
		return nil, nil, 0, fmt.Errorf("parameter %q: %w", p.Name, err)
	}
	value := p.Value
	if q := m.Quantization(p); q != nil {
		value = q.Codes(value)
	}
	values, err := w.stored(value)
	if err != nil {
		return fail(err)
	}
	if old, err = w.bytes(m.Bytes, s); err != nil {
		return fail(err)
	}
	if len(old) != len(values)*w.size {
		return fail(fmt.Errorf("it has %d elements, the file holds %d bytes of %s", len(values), len(old), w.name))
	}
	now = append([]byte(nil), old...)
	if changed, err = w.replace(now, values); err != nil {
		return fail(err)
	}
	return old, now, changed, nil
}

// bytes is the payload, from the file or from beside it.
func (w weight) bytes(file []byte, s *sources) ([]byte, error) {
	if w.outside == nil {
		return w.raw(file), nil
	}
	return s.read(*w.outside)
}
