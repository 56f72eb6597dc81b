// Gomlx is the side of onnx-gomlx in the comparison: it trains the same ONNX model
// on GoMLX's backend in pure Go, and answers the commands that torch/worker.py
// does. It is a module of its own, so that nothing else depends on GoMLX.
//
// Two things differ. GoMLX's AdamW decays biases and scales too, and onnx-gomlx
// always normalises batches by their running statistics.
package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/onnx-gomlx/onnx"
	"github.com/gomlx/onnx-gomlx/onnx/parser"

	"finetune/bench/protocol"
)

func main() {
	protocol.Peer("onnx-gomlx", func(j protocol.Job) (protocol.Step, error) {
		t, err := newTraining(j)
		if err != nil {
			return nil, err
		}
		if _, err := t.step(); err != nil { // compiles, and finds out what is not supported
			return nil, err
		}
		if t, err = newTraining(j); err != nil {
			return nil, err
		}
		return t.step, nil
	})
}

// training is a model and what it learns from.
type training struct {
	job            protocol.Job
	trainer        *train.Trainer
	inputs, labels []float32
	made           int
}

func newTraining(j protocol.Job) (*training, error) {
	network, err := parser.ParseFile(filepath.Join(j.Folder, "model.onnx"))
	if err != nil {
		return nil, err
	}
	backend, err := gobackend.New(fmt.Sprintf("parallelism=%d", j.Threads))
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	if err := network.VariablesToScope(store.RootScope()); err != nil {
		return nil, err
	}
	t := &training{job: j}
	if t.inputs, err = protocol.ReadFloats(j.Data, protocol.InputsFile); err != nil {
		return nil, err
	}
	if t.labels, err = protocol.ReadFloats(j.Data, protocol.LabelsFile); err != nil {
		return nil, err
	}
	rule := optimizer.Adam().LearningRate(j.LR).Epsilon(1e-8).WeightDecay(j.Decay).Done()
	t.trainer = train.NewTrainer(backend, store, t.forward(network), loss.SparseCategoricalCrossEntropyLogits, rule, nil, nil)
	return t, nil
}

// forward builds the graph of the model. The L1 penalty of the weights has a
// gradient, but no value, so that the loss is reported without it.
func (t *training) forward(network onnx.Model) func(*model.Scope, []*graph.Node) []*graph.Node {
	return func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		g := in[0].Graph()
		out := network.CallGraph(scope, g, map[string]*graph.Node{"input": in[0]})
		for v := range scope.IterVariables() {
			if v.Trainable && v.Shape().Rank() > 1 {
				penalty := graph.MulScalar(graph.ReduceAllSum(graph.Abs(v.NodeValue(g))), t.job.L1)
				train.AddRegularizationLoss(graph.Sub(penalty, graph.StopGradient(penalty)))
			}
		}
		return out
	}
}

func (t *training) step() (float64, error) {
	j := t.job
	at := t.made % j.Batches
	t.made++
	shape := append([]int{j.Batch}, j.Input...)
	size := product(shape)
	x := t.inputs[at*size : (at+1)*size]
	var in *tensors.Tensor
	if j.Integer {
		in = tensors.FromFlatDataAndDimensions(integers[int64](x), shape...)
	} else {
		in = tensors.FromFlatDataAndDimensions(slices.Clone(x), shape...)
	}
	shape = append(append([]int{j.Batch}, j.Target...), 1)
	size = product(shape)
	labels := tensors.FromFlatDataAndDimensions(integers[int32](t.labels[at*size:(at+1)*size]), shape...)
	metrics, err := t.trainer.TrainStep(train.Batch{Inputs: []*tensors.Tensor{in}, Labels: []*tensors.Tensor{labels}})
	if err != nil {
		return 0, err
	}
	return float64(tensors.ToScalar[float32](metrics[0])), nil
}

func integers[T int32 | int64](x []float32) []T {
	list := make([]T, len(x))
	for i, v := range x {
		list[i] = T(v)
	}
	return list
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
