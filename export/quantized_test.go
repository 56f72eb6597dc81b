package export

import (
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// quantizedModel is a product with a weight of eight bits, one scale a column, and a
// bias of 32, the codes of which lie in int32_data.
func quantizedModel() *onnxpb.ModelProto {
	tensor := func(name string, typ onnxpb.TensorProto_DataType, dims ...int64) *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(typ)), Dims: dims}
	}
	w, b := tensor("w", onnxpb.TensorProto_INT8, 2, 2), tensor("b", onnxpb.TensorProto_INT32, 2)
	w.RawData = []byte{10, 0xF6, 127, 3} // 10, −10, 127, 3
	b.Int32Data = []int32{-1000, 7}
	scale, zero := tensor("scale", onnxpb.TensorProto_FLOAT, 2), tensor("zero", onnxpb.TensorProto_INT8, 2)
	scale.FloatData, zero.Int32Data = []float32{0.5, 0.25}, []int32{0, -10}
	fine := tensor("fine", onnxpb.TensorProto_FLOAT)
	fine.FloatData = []float32{0.125}
	return &onnxpb.ModelProto{
		IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(13)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("quantized"), Input: []*onnxpb.ValueInfoProto{declared("x", onnxpb.TensorProto_FLOAT, 1, 2)}, Output: []*onnxpb.ValueInfoProto{declared("y", onnxpb.TensorProto_FLOAT, 1, 2)},
			Initializer: []*onnxpb.TensorProto{w, b, scale, zero, fine},
			Node: []*onnxpb.NodeProto{operation("DequantizeLinear", "wf", "w", "scale", "zero"), operation("DequantizeLinear", "bf", "b", "fine"),
				operation("MatMul", "p", "x", "wf"), operation("Add", "y", "p", "bf")},
		},
	}
}

// TestQuantizedWeights checks that integers behind a DequantizeLinear are parameters
// by the numbers that they stand for, and are written as the nearest codes.
func TestQuantizedWeights(t *testing.T) {
	m := save(t, marshal(t, quantizedModel()))
	if len(m.Params) < 2 || m.Params[0].Name != "w" || m.Params[1].Name != "b" || !m.Params[0].Trainable || !m.Params[1].Trainable {
		t.Fatalf("got parameters %v, want w and b to be trained", m.Params)
	}
	w, b := m.Params[0], m.Params[1]
	if want := []float32{5, 0, 63.5, 3.25}; !slices.Equal(w.Value, want) {
		t.Errorf("got weights %v, want %v", w.Value, want)
	}
	if want := []float32{-125, 0.875}; !slices.Equal(b.Value, want) {
		t.Errorf("got biases %v, want %v", b.Value, want)
	}
	copy(w.Value, []float32{4.3, 0.1, 900, -1}) // codes 9, −10, 127 at most, −14
	copy(b.Value, []float32{-125.1, 1})
	path := filepath.Join(t.TempDir(), "out.onnx")
	report := write(t, path, m, Options{})
	verified(t, m, path)
	again := open(t, path)
	if got, want := again.Tensors["w"].I, []int64{9, -10, 127, -14}; !slices.Equal(got, want) {
		t.Errorf("got codes %v, want %v", got, want)
	}
	if got, want := again.Tensors["b"].I, []int64{-1001, 8}; !slices.Equal(got, want) {
		t.Errorf("got codes %v, want %v", got, want)
	}
	if p := report.Params[0]; p.Zeros != 1 || p.Changed != 2 || p.DType != "int8" {
		t.Errorf("got %+v, want one zero and two changes of int8", p)
	}
	if got, want := again.Params[0].Value, []float32{4.5, 0, 63.5, -1}; !slices.Equal(got, want) {
		t.Errorf("got weights %v, want %v", got, want)
	}
}
