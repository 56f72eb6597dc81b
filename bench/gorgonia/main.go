// Gorgonia is the side of stock gorgonia in the comparison: the same ONNX model on
// gorgonia's own operations, gradients, tape machine and Adam. It answers the
// commands that torch/worker.py does.
//
// It knows the operators of the perceptrons and of the small convolutional
// network. Gorgonia's Adam has no decay beside the gradient, so there is none.
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
	"strconv"
	"strings"
	"time"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/onnxload"
)

// job has what is read of the job in ../job.go.
type job struct {
	Mode, Folder, Data, Train        string
	Threads, Batch, Batches, Classes int
	Input                            []int
	LR, L1                           float64
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
	if err := work(os.Args[len(os.Args)-1], out); err != nil {
		_ = out.Encode(answer{Error: err.Error()})
		os.Exit(1)
	}
}

func work(text string, out *json.Encoder) error {
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
	_ = out.Encode(answer{Version: "gorgonia"})
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

// training is a graph and what it learns from.
type training struct {
	job            job
	x, y, loss     *G.Node
	weights        []G.ValueGrad
	machine        G.VM
	solver         G.Solver
	inputs, labels []float32
	made           int
}

func newTraining(j job) (*training, error) {
	m, err := onnxload.Open(filepath.Join(j.Folder, "model.onnx"))
	if err != nil {
		return nil, err
	}
	t := &training{job: j}
	if t.inputs, err = readFloats(filepath.Join(j.Data, "inputs")); err != nil {
		return nil, err
	}
	if t.labels, err = readFloats(filepath.Join(j.Data, "labels")); err != nil {
		return nil, err
	}
	g := G.NewGraph()
	shape := append(tensor.Shape{j.Batch}, j.Input...)
	t.x = G.NewTensor(g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName("input"))
	t.y = G.NewMatrix(g, tensor.Float32, G.WithShape(j.Batch, j.Classes), G.WithName("labels"))
	values := map[string]*G.Node{m.Inputs[0].Name: t.x}
	var learnables G.Nodes
	for _, p := range m.Params {
		at := p.Shape
		if len(at) == 1 {
			at = []int{1, at[0]} // gorgonia broadcasts along given axes only
		}
		value := tensor.New(tensor.WithShape(at...), tensor.WithBacking(p.Value))
		values[p.Name] = G.NewTensor(g, tensor.Float32, len(at), G.WithShape(at...), G.WithName(p.Name), G.WithValue(value))
		learnables = append(learnables, values[p.Name])
	}
	for _, n := range m.Nodes {
		out, err := lower(n, values, j.Batch)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Name, err)
		}
		values[n.Outputs[0]] = out
	}
	if t.loss, err = crossEntropy(values[m.Outputs[0].Name], t.y); err != nil {
		return nil, err
	}
	if _, err := G.Grad(t.loss, learnables...); err != nil {
		return nil, err
	}
	t.machine = G.NewTapeMachine(g, G.BindDualValues(learnables...))
	t.solver = G.NewAdamSolver(G.WithLearnRate(j.LR), G.WithL1Reg(j.L1))
	t.weights = G.NodesToValueGrads(learnables)
	return t, nil
}

// lower is one ONNX operator in gorgonia's operations.
func lower(n *onnxload.Node, values map[string]*G.Node, batch int) (*G.Node, error) {
	var in []*G.Node
	for _, name := range n.Inputs {
		if values[name] == nil {
			return nil, fmt.Errorf("its input %q is no weight and no result", name)
		}
		in = append(in, values[name])
	}
	switch n.Op {
	case "Gemm": // by the transposed weight, as PyTorch exports it
		w, err := G.Transpose(in[1])
		if err != nil {
			return nil, err
		}
		y, err := G.Mul(in[0], w)
		if err != nil {
			return nil, err
		}
		return G.BroadcastAdd(y, in[2], nil, []byte{0})
	case "Relu":
		return G.Rectify(in[0])
	case "Flatten":
		return G.Reshape(in[0], tensor.Shape{batch, in[0].Shape().TotalSize() / batch})
	case "Conv":
		pads := n.Attrs.Ints("pads", []int{0, 0, 0, 0})
		y, err := G.Conv2d(in[0], in[1], tensor.Shape(in[1].Shape()[2:]), pads[:2], []int{1, 1}, []int{1, 1})
		if err != nil {
			return nil, err
		}
		bias, err := G.Reshape(in[2], tensor.Shape{1, in[2].Shape()[1], 1, 1})
		if err != nil {
			return nil, err
		}
		return G.BroadcastAdd(y, bias, nil, []byte{0, 2, 3})
	case "MaxPool":
		kernel, strides := n.Attrs.Ints("kernel_shape", nil), n.Attrs.Ints("strides", nil)
		return G.MaxPool2D(in[0], tensor.Shape(kernel), []int{0, 0}, strides)
	}
	return nil, fmt.Errorf("%s is not among the operators that are compared", n.Op)
}

// crossEntropy is the mean over the rows of −Σ labels·log softmax(scores).
func crossEntropy(scores, labels *G.Node) (*G.Node, error) {
	p, err := G.SoftMax(scores)
	if err != nil {
		return nil, err
	}
	l, err := G.Log(p)
	if err != nil {
		return nil, err
	}
	if l, err = G.HadamardProd(l, labels); err != nil {
		return nil, err
	}
	if l, err = G.Sum(l, 1); err != nil {
		return nil, err
	}
	if l, err = G.Mean(l); err != nil {
		return nil, err
	}
	return G.Neg(l)
}

func (t *training) step() (float64, error) {
	j := t.job
	at := t.made % j.Batches
	t.made++
	size := t.x.Shape().TotalSize()
	x := tensor.New(tensor.WithShape(t.x.Shape()...), tensor.WithBacking(t.inputs[at*size:(at+1)*size]))
	one := make([]float32, j.Batch*j.Classes)
	for i, label := range t.labels[at*j.Batch : (at+1)*j.Batch] {
		one[i*j.Classes+int(label)] = 1
	}
	if err := G.Let(t.x, x); err != nil {
		return 0, err
	}
	if err := G.Let(t.y, tensor.New(tensor.WithShape(j.Batch, j.Classes), tensor.WithBacking(one))); err != nil {
		return 0, err
	}
	if err := t.machine.RunAll(); err != nil {
		return 0, err
	}
	loss := float64(t.loss.Value().Data().(float32))
	err := t.solver.Step(t.weights)
	t.machine.Reset()
	return loss, err
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
