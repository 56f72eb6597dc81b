package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
	"finetune/models"
)

func TestThermometerIsWhatIsCommitted(t *testing.T) {
	got, err := thermometer()
	if err != nil {
		t.Fatal(err)
	}
	if want := models.ThermometerONNX(); !bytes.Equal(got, want) {
		t.Errorf("got other bytes than thermometer.onnx has (%d, %d): run go generate in models", len(got), len(want))
	}
}

// Training digits.onnx takes a while, so this test compares all but the values
// of the weights: the committed network with its weights put back to the start.
func TestDigitsIsWhatIsCommitted(t *testing.T) {
	want, err := digits(1)
	if err != nil {
		t.Fatal(err)
	}
	var start onnxpb.ModelProto
	if err := proto.Unmarshal(want, &start); err != nil {
		t.Fatal(err)
	}
	values := map[string][]float32{}
	for _, tensor := range start.Graph.Initializer {
		values[tensor.GetName()] = floats(tensor.RawData)
	}
	got, err := replace(models.DigitsONNX(), values)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("got another network than digits.onnx has: run go generate in models")
	}
}

func floats(payload []byte) []float32 {
	values := make([]float32, len(payload)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(payload[4*i:]))
	}
	return values
}

func TestReplaceWantsEveryTensor(t *testing.T) {
	if _, err := replace(models.ThermometerONNX(), map[string][]float32{"weight": {2}}); err == nil {
		t.Error("got no error for a tensor without values")
	}
}

func TestSheet(t *testing.T) {
	if err := sheet(io.Discard, "rough"); err != nil {
		t.Errorf("got %v, want a page of digits", err)
	}
	if err := sheet(io.Discard, "tidy"); err == nil {
		t.Error("got no error for a style that does not exist")
	}
}
