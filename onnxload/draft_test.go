package onnxload

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// draft is an ONNX model that a test writes down.
type draft struct {
	graph     onnxpb.GraphProto
	opset     int64
	functions []*onnxpb.FunctionProto
	domains   map[string]int64 // opsets of others than ONNX's own
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

// in puts the last node into a domain, of which the model imports an opset.
func (d *draft) in(domain string, opset int64) *draft {
	d.graph.Node[len(d.graph.Node)-1].Domain = proto.String(domain)
	if d.domains == nil {
		d.domains = map[string]int64{}
	}
	d.domains[domain] = opset
	return d
}

// call adds a node that calls a function of domain "mine".
func (d *draft) call(function string, in, out []string, attrs ...*onnxpb.AttributeProto) *draft {
	d.node(function, in, out, attrs...)
	d.graph.Node[len(d.graph.Node)-1].Domain = proto.String("mine")
	return d
}

// function adds a function of domain "mine": the nodes of a draft, of which attrs
// are the attributes and their defaults.
func (d *draft) function(name string, in, out []string, body *draft, attrs ...*onnxpb.AttributeProto) *draft {
	d.functions = append(d.functions, &onnxpb.FunctionProto{
		Domain: proto.String("mine"), Name: proto.String(name), Input: in, Output: out,
		Node: body.graph.Node, AttributeProto: attrs,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(body.opset)}, {Domain: proto.String("mine"), Version: proto.Int64(1)}},
	})
	return d
}

// refer is an attribute that takes its value from one of the function.
func refer(name, to string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), RefAttrName: proto.String(to)}
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
	case []string:
		a.Type = onnxpb.AttributeProto_STRINGS.Enum()
		for _, s := range v {
			a.Strings = append(a.Strings, []byte(s))
		}
	case []float32:
		a.Type, a.Floats = onnxpb.AttributeProto_FLOATS.Enum(), v
	case []int64:
		a.Type, a.Ints = onnxpb.AttributeProto_INTS.Enum(), v
	case *draft:
		a.Type, a.G = onnxpb.AttributeProto_GRAPH.Enum(), &v.graph
	}
	return a
}

func (d *draft) file(t *testing.T) []byte {
	t.Helper()
	opsets := []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(d.opset)}}
	for domain, opset := range d.domains {
		opsets = append(opsets, &onnxpb.OperatorSetIdProto{Domain: proto.String(domain), Version: proto.Int64(opset)})
	}
	b, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: opsets,
		Graph:       &d.graph,
		Functions:   d.functions,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (d *draft) model(t *testing.T) *Model {
	t.Helper()
	m, err := Parse(d.file(t), "")
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
