package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
	"finetune/onnxload"
	"finetune/optim"
)

// draft is an ONNX model that a test writes down. Its weights are drawn from a
// stream that is the same for every draft.
type draft struct {
	graph onnxpb.GraphProto
	rng   *rand.Rand
}

func newDraft() *draft {
	return &draft{graph: onnxpb.GraphProto{Name: proto.String("draft")}, rng: rand.New(rand.NewPCG(7, 7))}
}

// declared makes a float value; -1 is an open dimension called N.
func declared(name string, dims []int64) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}}
		if d < 0 {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Shape: shape,
		}}},
	}
}

func (d *draft) input(name string, dims ...int64) *draft {
	d.graph.Input = append(d.graph.Input, declared(name, dims))
	return d
}

func (d *draft) output(name string, dims ...int64) *draft {
	d.graph.Output = append(d.graph.Output, declared(name, dims))
	return d
}

// weight draws a tensor from a normal distribution, scaled as for a linear layer
// of as many inputs as the tensor has elements per last axis.
func (d *draft) weight(name string, dims ...int64) *draft {
	n := 1
	for _, dim := range dims {
		n *= int(dim)
	}
	values := make([]float32, n)
	scale := 1 / math.Sqrt(float64(n)/float64(dims[len(dims)-1]))
	for i := range values {
		values[i] = float32(d.rng.NormFloat64() * scale)
	}
	return d.tensor(name, values, dims...)
}

// fill is a tensor of one value.
func (d *draft) fill(name string, value float32, dims ...int64) *draft {
	n := 1
	for _, dim := range dims {
		n *= int(dim)
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = value
	}
	return d.tensor(name, values, dims...)
}

func (d *draft) tensor(name string, values []float32, dims ...int64) *draft {
	d.graph.Initializer = append(d.graph.Initializer, &onnxpb.TensorProto{
		Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Dims: dims, FloatData: values,
	})
	return d
}

func (d *draft) ints(name string, values ...int64) *draft {
	d.graph.Initializer = append(d.graph.Initializer, &onnxpb.TensorProto{
		Name: proto.String(name), DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)),
		Dims: []int64{int64(len(values))}, Int64Data: values,
	})
	return d
}

// node adds an operation of one output, which names it.
func (d *draft) node(op, out string, in ...string) *draft {
	d.graph.Node = append(d.graph.Node, &onnxpb.NodeProto{
		Name: proto.String(out), OpType: proto.String(op), Input: in, Output: []string{out},
	})
	return d
}

// attr gives the last node an attribute.
func (d *draft) attr(name string, value any) *draft {
	a := &onnxpb.AttributeProto{Name: proto.String(name)}
	switch v := value.(type) {
	case int:
		a.Type, a.I = onnxpb.AttributeProto_INT.Enum(), proto.Int64(int64(v))
	case []int64:
		a.Type, a.Ints = onnxpb.AttributeProto_INTS.Enum(), v
	case float64:
		a.Type, a.F = onnxpb.AttributeProto_FLOAT.Enum(), proto.Float32(float32(v))
	}
	last := d.graph.Node[len(d.graph.Node)-1]
	last.Attribute = append(last.Attribute, a)
	return d
}

// dense adds y = x·w + b from in to out values.
func (d *draft) dense(name, in string, from, to int64) *draft {
	return d.weight(name+".weight", from, to).fill(name+".bias", 0.1, to).
		node("Gemm", name, in, name+".weight", name+".bias")
}

func (d *draft) model(tb testing.TB) *onnxload.Model {
	tb.Helper()
	b, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(13)}},
		Graph:       &d.graph,
	})
	if err != nil {
		tb.Fatal(err)
	}
	m, err := onnxload.Parse(b, "")
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// mlp is two dense layers, from 6 values to 3 scores, of an open batch.
func mlp() *draft {
	return newDraft().input("x", -1, 6).
		dense("fc1", "x", 6, 16).node("Relu", "act", "fc1").
		dense("fc2", "act", 16, 3).output("fc2", -1, 3)
}

// convnet has all that keeps state or draws chances: batch normalisation and
// Dropout behind a convolution, then a dense layer, from (1, 6, 6) to 3 scores.
func convnet() *draft {
	return newDraft().input("x", -1, 1, 6, 6).
		weight("conv.weight", 4, 1, 3, 3).fill("conv.bias", 0.1, 4).
		node("Conv", "conv", "x", "conv.weight", "conv.bias").
		fill("bn.scale", 1.5, 4).fill("bn.shift", 0.2, 4).fill("bn.mean", 0.3, 4).fill("bn.var", 2, 4).
		node("BatchNormalization", "bn", "conv", "bn.scale", "bn.shift", "bn.mean", "bn.var").
		node("Relu", "act", "bn").
		node("Dropout", "drop", "act").
		node("Flatten", "flat", "drop").
		dense("fc", "flat", 64, 3).output("fc", -1, 3)
}

// param finds a parameter of m.
func param(tb testing.TB, m *onnxload.Model, name string) *optim.Param {
	tb.Helper()
	for _, p := range m.Params {
		if p.Name == name {
			return p
		}
	}
	tb.Fatalf("got no parameter %q", name)
	return nil
}
