package onnxload

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/onnxpb"
	"finetune/internal/op"
	"finetune/optim"
)

// TestQuantizedGradient checks that the gradient of a weight passes through its
// quantization, but not where the weight is beyond the range.
func TestQuantizedGradient(t *testing.T) {
	m := newDraft(13).input("x", 1, 3).floats("w", []int64{3, 1}, 0.3, -0.4, 100).floats("scale", nil, 0.25).
		node("QuantizeLinear", names("w", "scale"), names("q")).
		node("DequantizeLinear", names("q", "scale"), names("d")).
		node("MatMul", names("x", "d"), names("y")).output("y").model(t)
	prog, err := m.Lower(Config{})
	if err != nil {
		t.Fatal(err)
	}
	cost, grad := sumAndGradient(t, prog, prog.Params[m.Params[0]], 1, 2, 4)
	// As uint8, −0.4 and 100 are beyond the range: 0 and 255 steps of 0.25.
	if got, want := cost, float32(0.25+4*63.75); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := grad, []float32{1, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("got gradient %v, want %v", got, want)
	}
}

// TestQuantizedParameter checks that a weight that lies in the file as integers is
// rounded where it is read, and gets a gradient within the range only.
func TestQuantizedParameter(t *testing.T) {
	d := newDraft(13).input("x", 1, 3).floats("scale", nil, 0.25).
		node("DequantizeLinear", names("w", "scale"), names("f")).
		node("MatMul", names("x", "f"), names("y")).output("y")
	d.graph.Initializer = append(d.graph.Initializer, &onnxpb.TensorProto{
		Name: proto.String("w"), DataType: proto.Int32(int32(onnxpb.TensorProto_INT8)), Dims: []int64{3, 1}, RawData: []byte{4, 8, 100},
	})
	m := d.model(t)
	k := slices.IndexFunc(m.Params, func(p *optim.Param) bool { return p.Name == "w" })
	if k < 0 || m.Params[k].Role != optim.Weight || m.Params[k].DType != "int8" {
		t.Fatalf("got parameters %v, want w as a weight of int8", m.Params)
	}
	w := m.Params[k]
	if want := []float32{1, 2, 25}; !slices.Equal(w.Value, want) {
		t.Errorf("got weights %v, want %v", w.Value, want)
	}
	copy(w.Value, []float32{1.1, 2.2, 40}) // codes 4.4, 8.8 and one beyond 127
	prog, err := m.Lower(Config{})
	if err != nil {
		t.Fatal(err)
	}
	cost, grad := sumAndGradient(t, prog, prog.Params[w], 1, 2, 4)
	if got, want := cost, float32(1+2*2.25+4*31.75); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := grad, []float32{1, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("got gradient %v, want %v", got, want)
	}
}

// sumAndGradient is the sum of the output of a program for an input, and its
// gradient with respect to a leaf.
func sumAndGradient(t *testing.T, p *Program, leaf *G.Node, x ...float32) (sum float32, grad []float32) {
	t.Helper()
	cost, err := op.ReduceSum(p.Outputs[0].Node, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	grads, err := engine.Backprop(cost, []*G.Node{leaf})
	if err != nil {
		t.Fatal(err)
	}
	vm, err := engine.Compile([]*G.Node{cost, grads[0]}, p.Bind)
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	copy(vm.Buffer(p.Inputs[0].Node).F, x)
	if err := vm.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return vm.Buffer(cost).F[0], slices.Clone(vm.Buffer(grads[0]).F)
}
