package onnxload

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
	"finetune/internal/op"
)

// TestMisuse gives every operator inputs of random shapes and types, some of them
// constants, and random values for the attributes that operators share. Whatever it
// makes of them, and of random values when it runs, is a result or an error of its
// own: never one of ours.
func TestMisuse(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 3))
	for _, o := range Operators() {
		if o.Name == "Constant" {
			continue
		}
		for range 40 {
			d := misused(rng, o)
			m, err := Parse(d.file(t), "")
			if err != nil {
				continue // an attribute of a wrong kind
			}
			prog, err := m.Lower(Config{})
			if err == nil {
				if _, err = prog.evaluate(randomInputs(rng, prog)); err != nil && strings.Contains(err.Error(), "internal error") {
					t.Errorf("%s: %v", describe(&d.graph), err)
				}
				continue
			}
			if strings.Contains(err.Error(), "internal error") {
				t.Errorf("%s: %v", describe(&d.graph), err)
			} else if !strings.Contains(err.Error(), o.Name) {
				t.Errorf("%s: got error %q, want it to name the operator", describe(&d.graph), err)
			}
		}
	}
}

// randomInputs is values for the inputs of a program.
func randomInputs(rng *rand.Rand, prog *Program) []op.Buffer {
	var list []op.Buffer
	for _, p := range prog.Inputs {
		b := op.NewBuffer(p.Node.Dtype(), product(p.Shape))
		for i := range b.F {
			b.F[i] = float32(rng.NormFloat64())
		}
		for i := range b.I {
			b.I[i] = int64(rng.IntN(7)) - 2
		}
		list = append(list, b)
	}
	return list
}

// misused is a model of one node that may well not make sense.
func misused(rng *rand.Rand, o Operator) *draft {
	d := newDraft(28)
	if o.Domain == "" && rng.IntN(3) == 0 {
		d.opset = max(o.Since, int64(6+rng.IntN(23)))
	}
	count := len(o.Inputs)
	if count > 0 && o.Inputs[count-1].Variadic {
		count += rng.IntN(3)
	}
	var in []string
	for i := range count {
		optional := i < len(o.Inputs) && o.Inputs[i].Optional
		if optional && rng.IntN(2) == 0 {
			in = append(in, "")
			continue
		}
		name := fmt.Sprint("in", i)
		in = append(in, name)
		shape := make([]int, rng.IntN(6))
		for k := range shape {
			shape[k] = []int{0, 1, 2, 2, 3, 4}[rng.IntN(6)]
		}
		randomValue(rng, d, name, shape)
	}
	var attrs []*onnxpb.AttributeProto
	for _, name := range []string{"axis", "group", "blocksize", "k", "num_groups", "q_num_heads", "kv_num_heads", "hidden_size", "keepdims", "to", "dtype", "size", "sample_size", "p"} {
		if rng.IntN(3) == 0 {
			attrs = append(attrs, attr(name, rng.IntN(12)-4))
		}
	}
	for _, name := range []string{"axes", "pads", "strides", "dilations", "kernel_shape", "perm", "split", "output_shape", "shape", "pooled_shape"} {
		if rng.IntN(3) == 0 {
			list := make([]int64, rng.IntN(5))
			for k := range list {
				list[k] = int64(rng.IntN(7)) - 2
			}
			attrs = append(attrs, attr(name, list))
		}
	}
	d.node(o.Name, in, names("y"), attrs...).output("y")
	if o.Domain != "" {
		d.in(o.Domain, 5)
	}
	return d
}

// randomValue is an input or a constant, of floats or of integers.
func randomValue(rng *rand.Rand, d *draft, name string, shape []int) {
	if rng.IntN(2) == 0 {
		code := onnxpb.TensorProto_FLOAT
		if rng.IntN(3) == 0 {
			code = onnxpb.TensorProto_INT64
		}
		dims := make([]any, len(shape))
		for k, n := range shape {
			dims[k] = n
		}
		d.graph.Input = append(d.graph.Input, draftValue(name, code, dims))
		return
	}
	p := &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_INT64))}
	for _, n := range shape {
		p.Dims = append(p.Dims, int64(n))
	}
	floats := rng.IntN(2) == 0
	if floats {
		p.DataType = proto.Int32(int32(onnxpb.TensorProto_FLOAT))
	}
	for range product(shape) {
		if floats {
			p.FloatData = append(p.FloatData, float32(rng.NormFloat64()))
		} else {
			p.Int64Data = append(p.Int64Data, int64(rng.IntN(7))-2)
		}
	}
	d.graph.Initializer = append(d.graph.Initializer, p)
}

// describe is a graph of one node in a line.
func describe(g *onnxpb.GraphProto) string {
	n := g.Node[0]
	text := n.GetOpType()
	for _, v := range g.Input {
		text += fmt.Sprint(" ", v.GetName(), v.GetType().GetTensorType().GetShape().GetDim())
	}
	for _, p := range g.Initializer {
		text += fmt.Sprint(" ", p.GetName(), "=", p.GetDims(), p.GetFloatData(), p.GetInt64Data())
	}
	for _, a := range n.Attribute {
		text += " " + attrText(a)
	}
	return text
}
