package export

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
	"finetune/onnxload"
)

// everyForm is a model that adds up one parameter of every form in which a file
// can hold it. Each has the shape [3], "c" and "zero" are scalars.
func everyForm(t *testing.T) *onnxpb.ModelProto {
	t.Helper()
	f16 := func(vs ...float32) []byte { return store(onnxpb.TensorProto_FLOAT16, vs...) }
	bf16 := func(vs ...float32) []byte { return store(onnxpb.TensorProto_BFLOAT16, vs...) }
	bits := func(b []byte) []int32 {
		var v []int32
		for ; len(b) > 0; b = b[2:] {
			v = append(v, int32(le.Uint16(b)))
		}
		return v
	}
	tensor := func(name string, typ onnxpb.TensorProto_DataType, t *onnxpb.TensorProto) *onnxpb.TensorProto {
		t.Name, t.DataType, t.Dims = &name, proto.Int32(int32(typ)), []int64{3}
		return t
	}
	constant := func(name string, a *onnxpb.AttributeProto) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{OpType: proto.String("Constant"), Output: []string{name}, Attribute: []*onnxpb.AttributeProto{a}}
	}
	inits := []*onnxpb.TensorProto{
		tensor("raw", onnxpb.TensorProto_FLOAT, &onnxpb.TensorProto{RawData: store(onnxpb.TensorProto_FLOAT, 1, 2, 3)}),
		tensor("typed", onnxpb.TensorProto_FLOAT, &onnxpb.TensorProto{FloatData: []float32{1, 2, 3}}),
		tensor("f16 raw", onnxpb.TensorProto_FLOAT16, &onnxpb.TensorProto{RawData: f16(1, 2, 3)}),
		tensor("f16 typed", onnxpb.TensorProto_FLOAT16, &onnxpb.TensorProto{Int32Data: bits(f16(0, 2, 3))}),
		tensor("bf16 raw", onnxpb.TensorProto_BFLOAT16, &onnxpb.TensorProto{RawData: bf16(1, 2, 3)}),
		tensor("bf16 typed", onnxpb.TensorProto_BFLOAT16, &onnxpb.TensorProto{Int32Data: bits(bf16(1, 2, 3))}),
		tensor("f64 raw", onnxpb.TensorProto_DOUBLE, &onnxpb.TensorProto{RawData: store(onnxpb.TensorProto_DOUBLE, 1, 2, 3)}),
		tensor("f64 typed", onnxpb.TensorProto_DOUBLE, &onnxpb.TensorProto{DoubleData: []float64{0.1, 2, 3}}),
	}
	float := onnxpb.AttributeProto_FLOAT
	floats := onnxpb.AttributeProto_FLOATS
	value := onnxpb.AttributeProto_TENSOR
	nodes := []*onnxpb.NodeProto{
		constant("a", &onnxpb.AttributeProto{Name: proto.String("value"), Type: &value,
			T: tensor("", onnxpb.TensorProto_FLOAT, &onnxpb.TensorProto{RawData: store(onnxpb.TensorProto_FLOAT, 1, 2, 3)})}),
		constant("b", &onnxpb.AttributeProto{Name: proto.String("value_floats"), Type: &floats, Floats: []float32{1, 2, 3}}),
		constant("c", &onnxpb.AttributeProto{Name: proto.String("value_float"), Type: &float, F: proto.Float32(4)}),
		constant("zero", &onnxpb.AttributeProto{Name: proto.String("value_float"), Type: &float}),
	}
	last := "x"
	read := func(name string) {
		out := "sum of " + name
		nodes = append(nodes, &onnxpb.NodeProto{OpType: proto.String("Add"), Input: []string{last, name}, Output: []string{out}})
		last = out
	}
	for _, p := range inits {
		cast := p.GetName() + " cast"
		to := onnxpb.AttributeProto_INT
		nodes = append(nodes, &onnxpb.NodeProto{OpType: proto.String("Cast"), Input: []string{p.GetName()}, Output: []string{cast},
			Attribute: []*onnxpb.AttributeProto{{Name: proto.String("to"), Type: &to, I: proto.Int64(1)}}})
		read(cast)
	}
	for _, name := range []string{"a", "b", "c", "zero"} {
		read(name)
	}
	m := model(nodes, inits, last)
	m.MetadataProps = []*onnxpb.StringStringEntryProto{
		{Key: proto.String("author"), Value: proto.String("somebody")},
		{Key: proto.String("finetune.seed"), Value: proto.String("1")},
		{Key: proto.String("licence"), Value: proto.String("none")},
	}
	return m
}

// model is a model from input x of shape [3] to output y.
func model(nodes []*onnxpb.NodeProto, inits []*onnxpb.TensorProto, y string) *onnxpb.ModelProto {
	value := func(name string) *onnxpb.ValueInfoProto {
		return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(1), Shape: &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{
				{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 3}},
			}}}}}}
	}
	return &onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("g"), Node: nodes, Initializer: inits,
			Input: []*onnxpb.ValueInfoProto{value("x")}, Output: []*onnxpb.ValueInfoProto{value(y)},
		},
	}
}

// store lays numbers out as raw_data has them.
func store(typ onnxpb.TensorProto_DataType, vs ...float32) []byte {
	f := formats[typ]
	b := make([]byte, len(vs)*f.size)
	for i, v := range vs {
		f.store(b[i*f.size:], v)
	}
	return b
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// save writes a file into a folder of its own, and loads it.
func save(t *testing.T, file []byte) *onnxload.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, file, 0o666); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

func open(t *testing.T, path string) *onnxload.Model {
	t.Helper()
	m, err := onnxload.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t *testing.T, path string, m *onnxload.Model, opt Options) Report {
	t.Helper()
	r, err := Write(path, m, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func verified(t *testing.T, m *onnxload.Model, path string) Verification {
	t.Helper()
	v, err := Verify(m, path)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// train changes every parameter, as training would.
func train(m *onnxload.Model) {
	for i, p := range m.Params {
		if p.Op == "DequantizeLinear" {
			continue // the scale of others, without which these are something else
		}
		for k := range p.Value {
			p.Value[k] = p.Value[k]*0.75 + float32(math.Sin(float64(i+3*k)))/8
		}
	}
}

// unpack rewrites a packed float or int32 field of the graph's initializer so
// that each element has a tag of its own, as old writers do.
func unpack(t *testing.T, file []byte, index int, num protowire.Number) []byte {
	t.Helper()
	root, err := readModel(file)
	if err != nil {
		t.Fatal(err)
	}
	in := all(graphInitializer, all(modelGraph, root)...)[index]
	for f := range fields(file, in.start, in.end) {
		if f.num != num {
			continue
		}
		var with []byte
		for b := file[f.start:f.end]; len(b) > 0; {
			n := 4
			typ := protowire.Fixed32Type
			if num == tensorInt32s {
				_, n = protowire.ConsumeVarint(b)
				typ = protowire.VarintType
			}
			with = append(protowire.AppendTag(with, num, typ), b[:n]...)
			b = b[n:]
		}
		return apply(file, []edit{{in, f.tag, f.end, with}})
	}
	t.Fatalf("initializer %d has no field %d", index, num)
	return nil
}

func paramNames(m *onnxload.Model) []string {
	var names []string
	for _, p := range m.Params {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}
