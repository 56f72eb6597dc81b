// Gomlx is the side of onnx-gomlx in the comparison: it trains the same ONNX model
// on GoMLX's backend in pure Go, and answers the commands that torch/worker.py
// does. It is a module of its own, so that nothing else depends on GoMLX.
//
// Two things differ. GoMLX's AdamW decays biases and scales too, and onnx-gomlx
// always normalises batches by their running statistics.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/onnx-gomlx/onnx"
	"github.com/gomlx/onnx-gomlx/onnx/parser"
)

// job has what is read of the job in ../job.go.
type job struct {
	Mode, Folder, Data, Train string
	Threads, Batch, Batches   int
	Input, Target             []int
	Integer                   bool
	LR, L1, Decay             float64
}

type answer struct {
	Version   string    `json:"version,omitempty"`
	Seconds   float64   `json:"seconds,omitempty"`
	Losses    []float64 `json:"losses,omitempty"`
	Megabytes float64   `json:"megabytes,omitempty"`
	Error     string    `json:"error,omitempty"`
}

func main() {
	out := json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr // GoMLX prints
	if err := work(os.Args[len(os.Args)-1], out); err != nil {
		_ = out.Encode(answer{Error: err.Error()})
		os.Exit(1)
	}
}

func work(text string, out *json.Encoder) (err error) {
	defer func() {
		if r := recover(); r != nil {
			first, _, _ := strings.Cut(fmt.Sprint(r), "\n")
			err = fmt.Errorf("%s", first)
		}
	}()
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	if j.Mode != "train" || j.Train != "" {
		return fmt.Errorf("only training of whole models is compared")
	}
	runtime.GOMAXPROCS(j.Threads)
	t, err := newTraining(j)
	if err != nil {
		return err
	}
	if _, err := t.step(); err != nil { // compiles, and finds out what is not supported
		return err
	}
	if t, err = newTraining(j); err != nil {
		return err
	}
	_ = out.Encode(answer{Version: "onnx-gomlx"})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		verb, number, _ := strings.Cut(in.Text(), " ")
		var a answer
		if verb == "run" {
			n, _ := strconv.Atoi(number)
			start := time.Now()
			for range n {
				l, err := t.step()
				if err != nil {
					return err
				}
				a.Losses = append(a.Losses, l)
			}
			a.Seconds = time.Since(start).Seconds()
			a.Losses = a.Losses[:min(len(a.Losses), 20)]
		} else {
			a.Megabytes = peakMemory()
		}
		_ = out.Encode(a)
	}
	return nil
}

// training is a model and what it learns from.
type training struct {
	job            job
	trainer        *train.Trainer
	inputs, labels []float32
	made           int
}

func newTraining(j job) (*training, error) {
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
	if t.inputs, err = readFloats(filepath.Join(j.Data, "inputs")); err != nil {
		return nil, err
	}
	if t.labels, err = readFloats(filepath.Join(j.Data, "labels")); err != nil {
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

func readFloats(path string) ([]float32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := make([]float32, len(b)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return values, nil
}

// peakMemory is the most memory this process has had, in MiB.
func peakMemory() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}
