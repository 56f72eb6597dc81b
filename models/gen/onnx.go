package main

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// network is an ONNX model under construction: a chain of operations, each of
// which reads what the one before made.
type network struct {
	graph onnxpb.GraphProto
	last  string // the value that the next operation reads
}

// start is a network with one input of the given shape. A dimension that is
// negative is the batch dimension, which is left open.
func start(name, input string, shape ...int64) *network {
	n := &network{last: input}
	n.graph.Name = proto.String(name)
	n.graph.Input = []*onnxpb.ValueInfoProto{declare(input, shape)}
	return n
}

// add appends an operation on the last value and on the tensors, which it
// stores. Its name becomes that of its result, and the prefix of its tensors.
func (n *network) add(op, name string, tensors []tensor, attributes ...*onnxpb.AttributeProto) {
	node := &onnxpb.NodeProto{
		Name:      proto.String(name),
		OpType:    proto.String(op),
		Input:     []string{n.last},
		Output:    []string{name},
		Attribute: attributes,
	}
	for _, t := range tensors {
		node.Input = append(node.Input, t.name)
		n.graph.Initializer = append(n.graph.Initializer, &onnxpb.TensorProto{
			Name:     proto.String(t.name),
			DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
			Dims:     t.shape,
			RawData:  raw(t.values),
		})
	}
	n.graph.Node = append(n.graph.Node, node)
	n.last = name
}

// finish is the bytes of the model. The last value becomes its output, under
// the given name.
func (n *network) finish(doc, output string, shape ...int64) ([]byte, error) {
	n.graph.Node[len(n.graph.Node)-1].Output[0] = output
	n.graph.Output = []*onnxpb.ValueInfoProto{declare(output, shape)}
	return encode(&onnxpb.ModelProto{
		IrVersion:    proto.Int64(8),
		ProducerName: proto.String("finetune/models/gen"),
		DocString:    proto.String(doc),
		Graph:        &n.graph,
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(17)}},
	})
}

// replace puts trained values in the place of initializers: values by name.
// Every initializer must have some, of its own length.
func replace(model []byte, values map[string][]float32) ([]byte, error) {
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(model, &m); err != nil {
		return nil, err
	}
	for _, t := range m.Graph.Initializer {
		payload := raw(values[t.GetName()])
		if len(payload) != len(t.RawData) {
			return nil, fmt.Errorf("tensor %s: got %d bytes, want %d", t.GetName(), len(payload), len(t.RawData))
		}
		t.RawData = payload
	}
	return encode(&m)
}

func encode(m *onnxpb.ModelProto) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// tensor is an initializer.
type tensor struct {
	name   string
	shape  []int64
	values []float32
}

// raw is the payload of a float32 tensor: little-endian, row-major.
func raw(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// declare is the type of an input or output.
func declare(name string, shape []int64) *onnxpb.ValueInfoProto {
	dims := &onnxpb.TensorShapeProto{}
	for _, size := range shape {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		if size < 0 {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}
		} else {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: size}
		}
		dims.Dim = append(dims.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
			Shape:    dims,
		}}},
	}
}

// ints is an attribute that holds several numbers, such as a kernel's shape.
func ints(name string, values ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{
		Name: proto.String(name),
		Type: onnxpb.AttributeProto_INTS.Enum(),
		Ints: values,
	}
}

// integer is an attribute that holds one number.
func integer(name string, value int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{
		Name: proto.String(name),
		Type: onnxpb.AttributeProto_INT.Enum(),
		I:    proto.Int64(value),
	}
}
