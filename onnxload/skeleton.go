package onnxload

import (
	"fmt"
	"strconv"

	"github.com/owulveryck/onnx-go"
	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// onnx-go decodes models and walks their graphs. Its decoder drops node names,
// domains, opsets and open dimensions, does not know most element types, and
// gives up, or runs out of memory, on valid files. Its walk is sound. So it
// gets a skeleton: the same nodes and edges under names that are numbers, no
// types, no weights, and one attribute that leads back to the node in the file.

// nodeAttribute holds the index of the node in the file.
const nodeAttribute = "_node"

// walk lets onnx-go go through the graph, and returns the operations it met, in
// the given order.
func walk(g *onnxpb.GraphProto, order []int) ([]operation, error) {
	s := &skeleton{number: map[string]string{"": ""}, name: map[string]string{"": ""}}
	b, err := proto.Marshal(s.of(g, order))
	if err != nil {
		return nil, &FormatError{What: "the skeleton of the graph", Err: err}
	}
	rec := newRecorder()
	if err := unmarshal(rec, b); err != nil {
		return nil, &FormatError{What: "the walk over the graph", Err: err}
	}
	if len(rec.operations) != len(order) {
		return nil, formatError("", "the walk over the graph met %d nodes of %d", len(rec.operations), len(order))
	}
	for _, o := range rec.operations {
		for i, number := range o.inputs {
			o.inputs[i] = s.name[number]
		}
		for i, number := range o.outputs {
			o.outputs[i] = s.name[number]
		}
	}
	return rec.operations, nil
}

// unmarshal keeps a panic of onnx-go from leaving this package.
func unmarshal(rec *recorder, b []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("onnx-go: %v", r)
		}
	}()
	return onnx.NewModel(rec).UnmarshalBinary(b)
}

// skeleton numbers the values of a graph. Real names may hold bytes that
// onnx-go refuses, or collide with those it makes up.
type skeleton struct {
	number map[string]string // by name
	name   map[string]string // by number
}

func (s *skeleton) of(g *onnxpb.GraphProto, order []int) *onnxpb.ModelProto {
	bare := &onnxpb.GraphProto{Name: proto.String("skeleton")}
	for _, name := range initializerNames(g) {
		bare.Initializer = append(bare.Initializer, &onnxpb.TensorProto{Name: s.numbered(name)})
	}
	for _, v := range g.Input {
		if _, ok := s.number[v.GetName()]; !ok { // onnx-go looks through all inputs for each initializer
			bare.Input = append(bare.Input, &onnxpb.ValueInfoProto{Name: s.numbered(v.GetName())})
		}
	}
	for _, v := range g.Output {
		bare.Output = append(bare.Output, &onnxpb.ValueInfoProto{Name: s.numbered(v.GetName())})
	}
	for _, i := range order {
		n := &onnxpb.NodeProto{
			Name:   proto.String(fmt.Sprintf("node %d", i)),
			OpType: g.Node[i].OpType,
			Attribute: []*onnxpb.AttributeProto{{
				Name: proto.String(nodeAttribute),
				Type: onnxpb.AttributeProto_INT.Enum(),
				I:    proto.Int64(int64(i)),
			}},
		}
		for _, name := range g.Node[i].Input {
			n.Input = append(n.Input, *s.numbered(name))
		}
		for _, name := range g.Node[i].Output {
			n.Output = append(n.Output, *s.numbered(name))
		}
		bare.Node = append(bare.Node, n)
	}
	return &onnxpb.ModelProto{IrVersion: proto.Int64(newestIR), Graph: bare}
}

func (s *skeleton) numbered(name string) *string {
	number, ok := s.number[name]
	if !ok {
		number = strconv.Itoa(len(s.number))
		s.number[name] = number
		s.name[number] = name
	}
	return &number
}
