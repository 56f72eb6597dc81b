package onnxload

import (
	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
	"finetune/optim"
)

// BatchNormMode says what BatchNormalization does while training.
type BatchNormMode string

const (
	// BatchNormFrozen uses the running statistics of the file and keeps them.
	BatchNormFrozen BatchNormMode = "frozen"
	// BatchNormTrain uses the statistics of each batch; Program.Stats tells
	// where they are, to update the running ones.
	BatchNormTrain BatchNormMode = "train"
)

// Config says for which sizes and for what use a model is lowered. The zero
// value lowers for inference at the sizes the file declares.
type Config struct {
	// Batch is the number of examples in one pass. It takes the place of the
	// leading dimension of every input, open or declared; see Program.Lifted
	// for the latter. 0 keeps the declared one.
	Batch int

	// Dims gives sizes to the other dimensions that the file leaves open, by
	// their symbol. It wins over Batch for a leading one.
	Dims map[string]int

	// Training makes Dropout drop, and BatchNormalization follow BatchNorm.
	Training  bool
	BatchNorm BatchNormMode // "" is BatchNormFrozen
	Seed      uint64        // of Dropout's masks and other random numbers

	// Parts makes Program.Parts tell of every node.
	Parts bool

	// Feed gives inputs a value now: they become constants instead of ports.
	// Some operators need it, such as Reshape for a target shape that is an
	// input of the graph.
	Feed map[string]*Tensor
}

// Program is a model as a graph of operations, at concrete shapes.
type Program struct {
	Graph   *G.ExprGraph
	Inputs  []Port // in the order of Model.Inputs, without those of Config.Feed
	Outputs []Port // in the order of Model.Outputs

	// Params has the leaf of every parameter that the graph uses, trainable or
	// not. Constants that were computed with while lowering have none.
	Params map[*optim.Param]*G.Node

	// Bind is the storage of the leaves that are not inputs: Param.Value itself
	// for parameters, and the value of each constant.
	Bind map[*G.Node]op.Buffer

	// Stats is filled in mode BatchNormTrain, one entry per BatchNormalization.
	Stats []BatchStats

	// Lifted reports that the file declares a batch of another size and that
	// its Reshape targets were scaled to fit; see Model.CheckLift.
	Lifted bool

	source map[*G.Node]source
	parts  []Part
}

// source is what a node of the graph was made for.
type source struct {
	name string // of the ONNX node, or of the value for a leaf
	node *Node  // nil for a leaf
}

// Port is an input or output.
type Port struct {
	Name  string
	Node  *G.Node
	Shape []int
	DType DType // as in the file; the node itself is float32 or int64

	// Logits is what a final Softmax, LogSoftmax or Sigmoid was applied to, in
	// the shape of the port; Node itself where there is none. It looks through
	// operators that only change the shape, as well as Identity and Cast.
	Logits *G.Node

	// Activation is "softmax", "logsoftmax" or "sigmoid", or "" where there is
	// none; Axis is the axis that a softmax normalises, and -1 otherwise.
	Activation string
	Axis       int
}

// BatchStats is one BatchNormalization in training mode. After each pass the
// running statistics are to become momentum·running + (1 − momentum)·batch.
type BatchStats struct {
	Mean, Variance          *G.Node // of the batch, biased, shape (C)
	RunningMean, RunningVar *optim.Param
	Momentum                float32
	Count                   int // elements each statistic is taken over
	Node                    string
}

// NodeName is the name of the ONNX node that a node of the graph was made for,
// the name of the value for a leaf, and gorgonia's name for any other.
func (p *Program) NodeName(n *G.Node) string {
	if s, ok := p.source[n]; ok {
		return s.name
	}
	return n.Name()
}

// Origin is the ONNX node that a node of the graph was made for; nil for a leaf
// and for what was added to the graph later.
func (p *Program) Origin(n *G.Node) *Node { return p.source[n].node }
