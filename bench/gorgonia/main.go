// Gorgonia is the side of stock gorgonia in the comparison: the same ONNX model on
// gorgonia's own operations, gradients, tape machine and Adam. It answers the
// commands that torch/worker.py does.
//
// It knows the operators of the perceptrons and of the small convolutional
// network. Gorgonia's Adam has no decay beside the gradient, so there is none.
package main

import (
	"fmt"
	"path/filepath"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/bench/protocol"
	"finetune/onnxload"
)

func main() {
	protocol.Peer("gorgonia", func(j protocol.Job) (protocol.Step, error) {
		t, err := newTraining(j)
		if err != nil {
			return nil, err
		}
		return t.step, nil
	})
}

// training is a graph and what it learns from.
type training struct {
	job            protocol.Job
	x, y, loss     *G.Node
	weights        []G.ValueGrad
	machine        G.VM
	solver         G.Solver
	inputs, labels []float32
	made           int
}

func newTraining(j protocol.Job) (*training, error) {
	m, err := onnxload.Open(filepath.Join(j.Folder, "model.onnx"))
	if err != nil {
		return nil, err
	}
	t := &training{job: j}
	if t.inputs, err = protocol.ReadFloats(j.Data, protocol.InputsFile); err != nil {
		return nil, err
	}
	if t.labels, err = protocol.ReadFloats(j.Data, protocol.LabelsFile); err != nil {
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
