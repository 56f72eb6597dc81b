// Package op holds the differentiable operations that a lowered ONNX model is
// made of. Each is a function from gorgonia nodes to a gorgonia node: it checks
// shapes, and returns the node that computes the result and knows its gradient.
// The number crunching is in package kernel; package engine runs the nodes.
//
// Two kinds of element exist while training: float32 for everything that is
// learned or computed, and int64 for labels, indices, shapes and conditions
// (false is 0, true is 1). What a value is called in the ONNX file is the
// loader's business.
package op

import (
	"fmt"
	"hash"
	"slices"
	"sync/atomic"

	"finetune/internal/kernel"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Buffer is the storage of a node, row-major and contiguous. One slice is set: F
// for float32 nodes, I for int64 nodes.
type Buffer struct {
	F []float32
	I []int64

	Pruned *Pruned // what of weights, or of a gradient of them, is zero; nil where nothing is known
}

// Len is the number of elements.
func (b Buffer) Len() int { return len(b.F) + len(b.I) }

// First is the storage of the first n elements.
func (b Buffer) First(n int) Buffer {
	if n == b.Len() {
		return b
	}
	if b.I != nil {
		return Buffer{I: b.I[:n:n]}
	}
	return Buffer{F: b.F[:n:n]}
}

// NewBuffer allocates zeroed storage of n elements.
func NewBuffer(dt tensor.Dtype, n int) Buffer {
	if dt == tensor.Int64 {
		return Buffer{I: make([]int64, n)}
	}
	return Buffer{F: make([]float32, n)}
}

// Call is one execution of an Op.
type Call struct {
	Out     Buffer   // where the result goes; holds anything on entry
	In      []Buffer // the inputs, in order
	Scratch []float32
	Step    uint64 // number of the training step; random ops derive their stream from it
}

// Operand says which input is meant, None by default.
type Operand int

// The operands that an operation may work in place on.
const (
	None Operand = iota
	First
	Second
)

// Op is the one implementation of gorgonia's Op and SDOp interfaces: what
// differs between operations is data.
type Op struct {
	Name    string // kind, such as "Conv"
	Shape   tensor.Shape
	Dtype   tensor.Dtype
	Inputs  int
	Diff    []bool  // which inputs Grad returns a gradient for
	InPlace Operand // input whose storage the result may overwrite
	Alias   bool    // the result is input 0 under another shape, or its first elements; Run is nil
	Scratch int     // float32 elements of scratch Run needs
	Flops   float64 // floating-point operations of a run, a multiply-add being two; 0 where memory sets the pace

	// Run computes c.Out. It must write every element of it. It fails only on
	// data, such as an index out of range; shapes were checked before.
	Run func(c *Call) error

	// Grad returns the gradients with respect to the inputs, nil where Diff is
	// false. out is this op's node, g the gradient of the cost with respect to it.
	Grad func(in G.Nodes, out, g *G.Node) (G.Nodes, error)

	ending *ending   // what it is behind another operation, if anything; see Fuse
	finish *finisher // what it can do of operations behind it; Run is its do
	gate   *gate     // what it is made of, if it is the gradient of limits

	types []hm.Type
	id    uint64
}

var (
	_ G.Op   = (*Op)(nil)
	_ G.SDOp = (*Op)(nil)
)

var lastID atomic.Uint64

// apply puts o behind a new node of the inputs' graph.
func apply(o Op, in ...*G.Node) (*G.Node, error) {
	op := o
	op.id = lastID.Add(1)
	op.Shape = slices.Clone(o.Shape) // gorgonia recycles the shapes of nodes
	op.Inputs = len(in)
	if op.Diff == nil {
		op.Diff = make([]bool, len(in))
	}
	for _, n := range in {
		if n.Dims() > kernel.MaxAxes {
			return nil, fmt.Errorf("%s: %d axes, at most %d are supported", o.Name, n.Dims(), kernel.MaxAxes)
		}
		op.types = append(op.types, nodeType(n.Shape(), n.Dtype()))
	}
	n, err := G.ApplyOp(&op, in...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	return n, nil
}

// nodeType is the gorgonia type of a tensor. Rank 0 must be the bare dtype.
func nodeType(s tensor.Shape, dt tensor.Dtype) hm.Type {
	if s.Dims() == 0 {
		return dt
	}
	return G.TensorType{Dims: s.Dims(), Of: dt}
}

// Input makes a leaf of the graph: data, a parameter or a constant. Names must
// be unique in the graph, or gorgonia merges the nodes.
func Input(g *G.ExprGraph, name string, dt tensor.Dtype, shape ...int) *G.Node {
	if len(shape) == 0 {
		return G.NewScalar(g, dt, G.WithName(name))
	}
	return G.NewTensor(g, dt, len(shape), G.WithShape(shape...), G.WithName(name))
}

// Cheap reports whether an operation costs little more than moving its operands:
// it works element by element or normalises channels.
func (o *Op) Cheap() bool {
	return !o.Alias && o.Flops == 0 && (o.InPlace != None || o.finish != nil)
}

// Arity is part of gorgonia.Op.
func (o *Op) Arity() int { return o.Inputs }

// Type is part of gorgonia.Op. It is made anew at each call: gorgonia returns
// the function type to a pool after use.
func (o *Op) Type() hm.Type {
	return hm.NewFnType(append(slices.Clone(o.types), nodeType(o.Shape, o.Dtype))...)
}

// InferShape is part of gorgonia.Op. Shapes are known when the op is made.
func (o *Op) InferShape(...G.DimSizer) (tensor.Shape, error) { return o.Shape.Clone(), nil }

// ReturnsPtr is part of gorgonia.Op.
func (o *Op) ReturnsPtr() bool { return o.Alias }

// CallsExtern is part of gorgonia.Op.
func (o *Op) CallsExtern() bool { return false }

// OverwritesInput is part of gorgonia.Op. In-place execution is the engine's
// choice (see InPlace), never a stock machine's.
func (o *Op) OverwritesInput() int { return -1 }

// WriteHash is part of gorgonia.Op. The id keeps gorgonia's hash-consing from
// merging two nodes that only look alike.
func (o *Op) WriteHash(h hash.Hash) { fmt.Fprintf(h, "finetune:%s:%d", o.Name, o.id) }

// Hashcode is part of gorgonia.Op.
func (o *Op) Hashcode() uint32 { return uint32(o.id*2654435761) ^ uint32(o.id>>32) }

// String names the kind of the operation.
func (o *Op) String() string { return o.Name }

// DiffWRT is part of gorgonia.SDOp.
func (o *Op) DiffWRT(int) []bool { return o.Diff }

// SymDiff is part of gorgonia.SDOp.
func (o *Op) SymDiff(in G.Nodes, out, g *G.Node) (G.Nodes, error) {
	if o.Grad == nil {
		return make(G.Nodes, len(in)), nil
	}
	return o.Grad(in, out, g)
}

// Do is part of gorgonia.Op: gorgonia's own machines run our nodes too, which
// is how the engine is checked.
func (o *Op) Do(in ...G.Value) (G.Value, error) {
	c := Call{In: make([]Buffer, len(in)), Scratch: make([]float32, o.Scratch)}
	for i, v := range in {
		b, err := BufferOf(v)
		if err != nil {
			return nil, fmt.Errorf("%s: input %d: %w", o.Name, i, err)
		}
		c.In[i] = b
	}
	if o.Alias {
		return Value(c.In[0].First(o.Shape.TotalSize()), o.Shape), nil
	}
	c.Out = NewBuffer(o.Dtype, o.Shape.TotalSize())
	if err := o.Run(&c); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	return Value(c.Out, o.Shape), nil
}

// BufferOf is the storage behind a gorgonia value.
func BufferOf(v G.Value) (Buffer, error) {
	switch d := v.Data().(type) {
	case []float32:
		return Buffer{F: d}, nil
	case []int64:
		return Buffer{I: d}, nil
	case float32:
		return Buffer{F: []float32{d}}, nil
	case int64:
		return Buffer{I: []int64{d}}, nil
	default:
		return Buffer{}, fmt.Errorf("op: no storage for %T", d)
	}
}

// Value wraps storage as a gorgonia tensor of the given shape, without a copy.
func Value(b Buffer, shape tensor.Shape) *tensor.Dense {
	if b.I != nil {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(b.I))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(b.F))
}
