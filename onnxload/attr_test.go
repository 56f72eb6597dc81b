package onnxload

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

func attributes(t *testing.T, list ...*onnxpb.AttributeProto) Attrs {
	t.Helper()
	a, err := readAttrs(list, newTensorReader(100, ""))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAttrs(t *testing.T) {
	a := attributes(t,
		intAttr("axis", -1),
		&onnxpb.AttributeProto{Name: proto.String("alpha"), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: proto.Float32(0.5)},
		&onnxpb.AttributeProto{Name: proto.String("mode"), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte("linear")},
		&onnxpb.AttributeProto{Name: proto.String("pads"), Type: onnxpb.AttributeProto_INTS.Enum(), Ints: []int64{1, 2}},
		&onnxpb.AttributeProto{Name: proto.String("scales"), Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: []float32{2}},
		&onnxpb.AttributeProto{Name: proto.String("activations"), Type: onnxpb.AttributeProto_STRINGS.Enum(), Strings: [][]byte{[]byte("Tanh")}},
		tensorAttr("value", floats("", nil, 3)),
		&onnxpb.AttributeProto{Name: proto.String("zero"), Type: onnxpb.AttributeProto_INT.Enum()}, // as proto3 writes 0
		&onnxpb.AttributeProto{Name: proto.String("old"), I: proto.Int64(4)},                       // IR version 1
	)
	if a.Int("axis", 0) != -1 || a.Int("zero", 7) != 0 || a.Int("old", 7) != 4 || a.Int("none", 7) != 7 {
		t.Errorf("got ints %d %d %d %d, want -1 0 4 7", a.Int("axis", 0), a.Int("zero", 7), a.Int("old", 7), a.Int("none", 7))
	}
	if a.Float("alpha", 0) != 0.5 || a.Float("none", 2) != 2 || a.String("mode", "") != "linear" || a.String("none", "x") != "x" {
		t.Error("got a wrong float or string")
	}
	if !slices.Equal(a.Ints("pads", nil), []int{1, 2}) || !slices.Equal(a.Ints("none", []int{5}), []int{5}) ||
		!slices.Equal(a.Floats("scales", nil), []float32{2}) || !slices.Equal(a.Strings("activations", nil), []string{"Tanh"}) {
		t.Error("got a wrong list")
	}
	if v := a.Tensor("value"); v == nil || v.F[0] != 3 {
		t.Errorf("got %v, want a tensor of 3", v)
	}
	if !a.Has("axis") || a.Has("none") || a.Tensor("none") != nil || a.Graph("none") != nil {
		t.Error("got an attribute that is not there, or not one that is")
	}
	if err := a.Err(); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

// An attribute of another type than asked for is reported, each once.
func TestMisreadAttrs(t *testing.T) {
	a := attributes(t, intAttr("alpha", 1), tensorAttr("axis", floats("", nil, 1)))
	for range 2 {
		if got := a.Float("alpha", 0.25); got != 0.25 {
			t.Errorf("got %v, want the default 0.25", got)
		}
	}
	a.Int("axis", 0)
	err := a.Err()
	if err == nil || strings.Count(err.Error(), "alpha") != 1 || !strings.Contains(err.Error(), `attribute "axis": got type TENSOR, want INT`) {
		t.Errorf("got error %v, want alpha and axis named once each", err)
	}
	var zero Attrs
	if zero.Int("x", 3) != 3 || zero.Err() != nil {
		t.Error("got a value or an error from the zero Attrs")
	}
}
