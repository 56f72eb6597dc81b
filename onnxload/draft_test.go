package onnxload

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// draft is an ONNX model that a test writes down.
type draft struct {
	graph onnxpb.GraphProto
	opset int64
}

func newDraft(opset int64) *draft {
	return &draft{graph: onnxpb.GraphProto{Name: proto.String("draft")}, opset: opset}
}

// draftValue declares a value; dims are ints, or strings for open dimensions.
func draftValue(name string, code onnxpb.TensorProto_DataType, dims []any) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case int:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		case string:
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(code)), Shape: shape,
		}}},
	}
}

func (d *draft) input(name string, dims ...any) *draft {
	d.graph.Input = append(d.graph.Input, draftValue(name, onnxpb.TensorProto_FLOAT, dims))
	return d
}

func (d *draft) output(name string) *draft {
	d.graph.Output = append(d.graph.Output, &onnxpb.ValueInfoProto{Name: proto.String(name)})
	return d
}

func (d *draft) floats(name string, dims []int64, data ...float32) *draft {
	d.graph.Initializer = append(d.graph.Initializer, &onnxpb.TensorProto{
		Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Dims: dims, FloatData: data,
	})
	return d
}

func (d *draft) ints(name string, data ...int64) *draft {
	d.graph.Initializer = append(d.graph.Initializer, &onnxpb.TensorProto{
		Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)),
		Dims: []int64{int64(len(data))}, Int64Data: data,
	})
	return d
}

// node adds an operation that is named after its first output.
func (d *draft) node(op string, in, out []string, attrs ...*onnxpb.AttributeProto) *draft {
	d.graph.Node = append(d.graph.Node, &onnxpb.NodeProto{
		Name: proto.String(out[0] + "_node"), OpType: proto.String(op), Input: in, Output: out, Attribute: attrs,
	})
	return d
}

func attr(name string, value any) *onnxpb.AttributeProto {
	a := &onnxpb.AttributeProto{Name: proto.String(name)}
	switch v := value.(type) {
	case int:
		a.Type, a.I = onnxpb.AttributeProto_INT.Enum(), proto.Int64(int64(v))
	case float64:
		a.Type, a.F = onnxpb.AttributeProto_FLOAT.Enum(), proto.Float32(float32(v))
	case string:
		a.Type, a.S = onnxpb.AttributeProto_STRING.Enum(), []byte(v)
	case []int64:
		a.Type, a.Ints = onnxpb.AttributeProto_INTS.Enum(), v
	}
	return a
}

func (d *draft) model(t *testing.T) *Model {
	t.Helper()
	b, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(d.opset)}},
		Graph:       &d.graph,
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// names lists inputs or outputs; "-" stands for one that is not given.
func names(list ...string) []string {
	for i, s := range list {
		if s == "-" {
			list[i] = ""
		}
	}
	return list
}
