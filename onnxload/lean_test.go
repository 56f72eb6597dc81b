package onnxload

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// Decoding without copies gives what the decoder of the bindings gives, however
// the file is put together, and payloads are parts of the file.
func TestUnmarshalModel(t *testing.T) {
	one := &onnxpb.ModelProto{ProducerName: proto.String("p"), Graph: &onnxpb.GraphProto{
		Initializer: []*onnxpb.TensorProto{
			{Name: proto.String("a"), RawData: []byte{1, 2, 3, 4}},
			{Name: proto.String("b"), FloatData: []float32{1}},
			{Name: proto.String("c"), RawData: []byte{}},
			{Name: proto.String("d"), RawData: []byte{5}},
		},
		Node: []*onnxpb.NodeProto{{OpType: proto.String("Constant"), Attribute: []*onnxpb.AttributeProto{
			{Name: proto.String("value"), T: &onnxpb.TensorProto{RawData: []byte{6}}},
		}}},
	}}
	b, err := proto.Marshal(one)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"as it is":            b,
		"with two graphs":     append(b[:len(b):len(b)], b...), // which protobuf merges
		"with an open end":    b[:len(b)-1],
		"with unknown fields": append(b[:len(b):len(b)], 0xf8, 0x7f, 1),
		"without a graph":     {},
	} {
		want := new(onnxpb.ModelProto)
		wantErr := proto.Unmarshal(file, want)
		got, err := unmarshalModel(file)
		if (err == nil) != (wantErr == nil) || err == nil && !proto.Equal(got, want) {
			t.Errorf("%s: got %v and error %v, want %v and %v", name, got, err, want, wantErr)
		}
	}
	got, err := unmarshalModel(b)
	if err != nil {
		t.Fatal(err)
	}
	got.Graph.Initializer[3].RawData[0] = 77
	again, err := unmarshalModel(b)
	if err != nil {
		t.Fatal(err)
	}
	if v := again.Graph.Initializer[3].RawData[0]; v != 77 {
		t.Errorf("got %d in the file after writing 77 to the payload, want one and the same memory", v)
	}
}
