package onnxload

import (
	"encoding/binary"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// sample is a model for tests to change: y = Relu(x·w + b), x (n, 2), y (n, 3).
func sample() *onnxpb.ModelProto {
	return &onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("sample"),
			Node: []*onnxpb.NodeProto{
				named("fc", apply("MatMul", "x", "w", "→", "h")),
				named("fc.add", apply("Add", "h", "b", "→", "a")),
				named("act", apply("Relu", "a", "→", "y")),
			},
			Input:  []*onnxpb.ValueInfoProto{port("x", -1, 2)},
			Output: []*onnxpb.ValueInfoProto{port("y", -1, 3)},
			Initializer: []*onnxpb.TensorProto{
				floats("w", []int64{2, 3}, 1, 2, 3, 4, 5, 6),
				floats("b", []int64{3}, 7, 8, 9),
			},
		},
	}
}

// apply makes a node: inputs, an arrow, outputs.
func apply(op string, names ...string) *onnxpb.NodeProto {
	n := &onnxpb.NodeProto{OpType: proto.String(op)}
	list := &n.Input
	for _, name := range names {
		if name == "→" {
			list = &n.Output
			continue
		}
		*list = append(*list, name)
	}
	return n
}

func named(name string, n *onnxpb.NodeProto) *onnxpb.NodeProto {
	n.Name = proto.String(name)
	return n
}

func with(n *onnxpb.NodeProto, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	n.Attribute = append(n.Attribute, attrs...)
	return n
}

func intAttr(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INT.Enum(), I: proto.Int64(v)}
}

func tensorAttr(name string, t *onnxpb.TensorProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t}
}

func graphAttr(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

// port makes a float input or output; -1 is an open dimension called "n".
func port(name string, dims ...int64) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}}
		if d == -1 {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "n"}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(1), Shape: shape},
		}},
	}
}

// floats makes a float32 tensor with raw data. Without values it counts up.
func floats(name string, dims []int64, values ...float32) *onnxpb.TensorProto {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	for i := int64(len(values)); i < n; i++ {
		values = append(values, float32(i+1))
	}
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(1), Dims: dims, RawData: raw}
}

// integers makes a one-dimensional int64 tensor.
func integers(name string, values ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(7), Dims: []int64{int64(len(values))}, Int64Data: values}
}

func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// parse reads a model that is known to be good.
func parse(tb testing.TB, m *onnxpb.ModelProto) *Model {
	tb.Helper()
	got, err := Parse(marshal(tb, m), "")
	if err != nil {
		tb.Fatal(err)
	}
	return got
}
