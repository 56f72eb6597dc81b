package onnxload

import (
	"fmt"
	"strings"

	"github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
)

// operation is one node as onnx-go hands it over.
type operation struct {
	index           int // of the node in the file
	inputs, outputs []string
}

// recorder is an onnx.Backend that notes the operations. For each output of a
// node, onnx-go adds one edge per input, in order, and then it applies the
// operation to the outputs.
type recorder struct {
	*simple.WeightedDirectedGraph // the rest of the interface, which the walk does not use

	nodes      int64
	pending    []*recorderNode // ends of the edges since the last operation
	operations []operation
}

var _ onnx.Backend = (*recorder)(nil)

func newRecorder() *recorder {
	return &recorder{WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, 0)}
}

// recorderNode is a value of the graph. It is no onnx.DataCarrier, which keeps
// onnx-go from decoding tensors.
type recorderNode struct {
	id   int64
	name string
}

var _ onnx.Namer = (*recorderNode)(nil)

func (n *recorderNode) ID() int64           { return n.id }
func (n *recorderNode) SetName(name string) { n.name = name }
func (n *recorderNode) GetName() string     { return n.name }

func (r *recorder) NewNode() graph.Node {
	r.nodes++
	return &recorderNode{id: r.nodes}
}

func (r *recorder) AddNode(graph.Node) {}

func (r *recorder) NewWeightedEdge(from, to graph.Node, weight float64) graph.WeightedEdge {
	return simple.WeightedEdge{F: from, T: to, W: weight}
}

func (r *recorder) SetWeightedEdge(e graph.WeightedEdge) {
	r.pending = append(r.pending, e.To().(*recorderNode))
}

func (r *recorder) ApplyOperation(o onnx.Operation, outputs ...graph.Node) error {
	index, ok := o.Attributes[nodeAttribute].(int64)
	if !ok {
		return fmt.Errorf("operation %s has lost its index", o.Name)
	}
	op := operation{index: int(index)}
	for _, n := range outputs {
		op.outputs = append(op.outputs, n.(*recorderNode).name)
	}
	if len(outputs) > 0 {
		for _, n := range r.pending[:len(r.pending)/len(outputs)] {
			// A node without inputs is given one by onnx-go, named after the node.
			if !strings.HasSuffix(n.name, "/input") {
				op.inputs = append(op.inputs, n.name)
			}
		}
	}
	r.pending = r.pending[:0]
	r.operations = append(r.operations, op)
	return nil
}
