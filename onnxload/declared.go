package onnxload

import (
	"math"

	"finetune/internal/onnxpb"
)

// readValues notes what the file declares about the inputs and outputs.
func (m *Model) readValues() {
	fixed := make(map[string]bool)
	for _, name := range initializerNames(m.Proto.Graph) {
		fixed[name] = true
	}
	for _, p := range m.Proto.Graph.Input {
		if !fixed[p.GetName()] {
			m.Inputs = append(m.Inputs, m.declared(p))
		}
	}
	for _, p := range m.Proto.Graph.Output {
		m.Outputs = append(m.Outputs, m.declared(p))
	}
}

func (m *Model) declared(p *onnxpb.ValueInfoProto) Value {
	v := Value{Name: p.GetName(), Rank: -1}
	var code int32
	var shape *onnxpb.TensorShapeProto
	switch t := p.GetType().GetValue().(type) {
	case *onnxpb.TypeProto_TensorType:
		code, shape = t.TensorType.GetElemType(), t.TensorType.GetShape()
	case *onnxpb.TypeProto_SparseTensorType:
		code, shape = t.SparseTensorType.GetElemType(), t.SparseTensorType.GetShape()
	case *onnxpb.TypeProto_SequenceType:
		v.DType = "sequence"
	case *onnxpb.TypeProto_MapType:
		v.DType = "map"
	case *onnxpb.TypeProto_OptionalType:
		v.DType = "optional"
	case *onnxpb.TypeProto_OpaqueType:
		v.DType = "opaque"
	}
	if e, ok := elementOf(code); ok {
		v.DType = e.dtype
	}
	if shape == nil {
		return v
	}
	v.Rank = len(shape.Dim)
	v.Dims = make([]Dim, v.Rank)
	for i, d := range shape.Dim {
		v.Dims[i] = Dim{Size: -1, Symbol: d.GetDimParam()}
		size, ok := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue)
		if !ok {
			continue
		}
		// Some exporters write a number that cannot be for what is open, mostly -1.
		if size.DimValue == -1 {
			continue
		}
		if size.DimValue < 0 || size.DimValue > math.MaxInt32 {
			m.warn("%q declares dimension %d to be %d; taken as open", v.Name, i, size.DimValue)
			continue
		}
		v.Dims[i].Size = int(size.DimValue)
	}
	return v
}
