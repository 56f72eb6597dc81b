package onnxload

import (
	"fmt"
	"sync"

	"finetune/internal/onnxpb"
	"finetune/optim"
)

// Model is a validated ONNX model. It holds what the file says, in our words;
// Lower turns it into a graph that can be run.
type Model struct {
	Path     string // where it was read from; empty for Parse
	Bytes    []byte // the file as it was read; export patches a copy of these
	Proto    *onnxpb.ModelProto
	Opsets   map[string]int64 // by domain; the default domain is ""
	Inputs   []Value          // what a caller must feed: graph inputs that are not initializers
	Outputs  []Value
	Nodes    []*Node            // in execution order, without Constant nodes: their values are in Tensors
	Tensors  map[string]*Tensor // by name: initializers and the values of Constant nodes
	Params   []*optim.Param     // tensors that some node reads as floats, in file order
	Warnings []string           // oddities of the file that a user may want to know

	filled []filled  // inputs that are constants, by Fill
	lifts  *sync.Map // sizes that CheckLift has found to hold

	quantized map[*optim.Param]*Quantization // of parameters that are stored as integers
}

// DType is an element type by its ONNX name in lower case: "float32", "int64", "bool", …
type DType string

// Dim is one axis of a declared shape.
type Dim struct {
	Size   int    // -1 when the file leaves it open
	Symbol string // its name in the file when open, such as "batch_size"
}

// Value is a declared input or output.
type Value struct {
	Name  string
	DType DType // for what is no tensor its kind: "sequence", "map", "optional"
	Dims  []Dim // nil when the rank is not declared
	Rank  int   // -1 when not declared
}

// Node is one operation.
type Node struct {
	Name    string // as in the file, or "Op_index" where it has none
	Op      string
	Domain  string // "" for ONNX's own
	Opset   int64  // version of Domain that the model imports
	Inputs  []string
	Outputs []string // "" for an output that is not wanted
	Attrs   Attrs
	Index   int // position in the file

	// Captures are the values of the outer graph that the node's subgraphs
	// read, each once, in order of first use. They count as uses of the value.
	Captures []string
	Overload string // tells model-local functions of one name apart; mostly ""

	bodies map[string]*body // its subgraphs, by attribute
}

// Tensor is an initializer or the value of a Constant node. Exactly one of F
// and I is set: float types are widened to float32, integers and bool to int64.
// Types that cannot be computed with (string, complex) leave both nil; a tensor
// without elements has a slice of length 0. F of a parameter is its Value, which
// training changes; what the file says is in Model.Bytes.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	F     []float32
	I     []int64
	At    Origin
}

// Origin says where in the file a tensor's payload lies, for export.
type Origin struct {
	Node     int    // index of the Constant node, or -1 for an initializer
	Index    int    // position among the graph's initializers when Node is -1
	Sparse   bool   // it is a sparse tensor: Index counts the sparse initializers
	Attr     string // attribute of the Constant node that holds the payload: "value", "value_float", …
	External bool   // the payload is in a file of its own
	Location string // that file, relative to the model's folder
	Offset   int64  // of the payload in that file
	Length   int64  // in bytes
}

func (m *Model) warn(format string, args ...any) {
	m.Warnings = append(m.Warnings, fmt.Sprintf(format, args...))
}
