package models_test

import (
	"context"
	"testing"

	"finetune/models"
	"finetune/models/dataset"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
	"finetune/train/data"
)

func parse(t *testing.T, file []byte) *onnxload.Model {
	t.Helper()
	m, err := onnxload.Parse(file, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParameters(t *testing.T) {
	type param struct {
		name  string
		role  optim.Role
		layer string
	}
	for _, tt := range []struct {
		file  string
		bytes []byte
		input string
		want  []param
	}{
		{"thermometer.onnx", models.ThermometerONNX(), "t_u", []param{
			{"weight", optim.Weight, "scale"},
			{"bias", optim.Bias, "offset"},
		}},
		{"digits.onnx", models.DigitsONNX(), "image", []param{
			{"conv1.weight", optim.Weight, "conv1"},
			{"norm1.scale", optim.Scale, "norm1"},
			{"norm1.shift", optim.Shift, "norm1"},
			{"norm1.mean", optim.Running, "norm1"},
			{"norm1.variance", optim.Running, "norm1"},
			{"conv2.weight", optim.Weight, "conv2"},
			{"norm2.scale", optim.Scale, "norm2"},
			{"norm2.shift", optim.Shift, "norm2"},
			{"norm2.mean", optim.Running, "norm2"},
			{"norm2.variance", optim.Running, "norm2"},
			{"fc1.weight", optim.Weight, "fc1"},
			{"fc1.bias", optim.Bias, "fc1"},
			{"fc2.weight", optim.Weight, "fc2"},
			{"fc2.bias", optim.Bias, "fc2"},
		}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			m := parse(t, tt.bytes)
			if len(m.Inputs) != 1 || m.Inputs[0].Name != tt.input || m.BatchDim() != -1 {
				t.Errorf("got inputs %+v and batch %d, want %q and an open batch", m.Inputs, m.BatchDim(), tt.input)
			}
			if len(m.Warnings) > 0 {
				t.Errorf("got warnings %q, want none", m.Warnings)
			}
			var got []param
			for _, p := range m.Params {
				got = append(got, param{p.Name, p.Role, p.Layer})
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %d parameters %v, want %d", len(got), got, len(tt.want))
			}
			for i, want := range tt.want {
				if got[i] != want {
					t.Errorf("parameter %d: got %v, want %v", i, got[i], want)
				}
			}
			if len(tt.bytes) > 300_000 {
				t.Errorf("got %d bytes, want at most 300,000", len(tt.bytes))
			}
		})
	}
}

// The point of the two styles: what the network has learned is of little use
// for the other one.
func TestDigitsAccuracy(t *testing.T) {
	for _, tt := range []struct {
		style  models.Style
		lo, hi float64
	}{
		{models.Clean, 0.98, 1},
		{models.Rough, 0.30, 0.70},
	} {
		loader, err := data.NewLoader(dataset.Digits(tt.style, 3, 1000), data.LoaderOptions{Scale: 1.0 / 255})
		if err != nil {
			t.Fatal(err)
		}
		got, err := train.Evaluate(context.Background(), parse(t, models.DigitsONNX()), loader, train.Config{Batch: 100})
		if err != nil {
			t.Fatal(err)
		}
		if *got.Accuracy < tt.lo || *got.Accuracy > tt.hi {
			t.Errorf("%v digits: got accuracy %.3f, want %.2f to %.2f", tt.style, *got.Accuracy, tt.lo, tt.hi)
		}
		t.Logf("%v digits: accuracy %.3f, loss %.3f", tt.style, *got.Accuracy, got.Loss)
	}
}
