package onnxpb

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A zero that was written must be written again: export and the hash of a file
// depend on it, and it is the reason for proto2.
func TestExplicitZeroSurvives(t *testing.T) {
	in := []byte{0x0a, 0x04, 'a', 'x', 'i', 's', 0x18, 0x00} // name: "axis", i: 0
	var a AttributeProto
	if err := proto.Unmarshal(in, &a); err != nil {
		t.Fatal(err)
	}
	if a.I == nil || a.GetName() != "axis" {
		t.Errorf("got %v, want name axis and an i that is set", &a)
	}
	out, err := proto.Marshal(&a)
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != string(in) {
		t.Errorf("got % x, want % x", out, in)
	}
}

// onnx-go registers the package name "onnx" in the same process.
func TestPackageName(t *testing.T) {
	name := (&ModelProto{}).ProtoReflect().Descriptor().FullName()
	if name != "finetune.onnx.ModelProto" {
		t.Errorf("got %s, want finetune.onnx.ModelProto", name)
	}
	if _, err := protoregistry.GlobalTypes.FindMessageByName("onnx.ModelProto"); err == nil {
		t.Error("got a message onnx.ModelProto of ours, want the name left free")
	}
}
