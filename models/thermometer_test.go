package models_test

import (
	"context"
	"math"
	"testing"

	"finetune/models"
	"finetune/models/dataset"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
	"finetune/train/data"
)

// TestThermometer fits the line as the book does that it is from; what it comes
// to is what PyTorch prints for testdata/thermometer.py.
func TestThermometer(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		lr     float64
		scale  float64 // of t_u
		epochs int
		w, b   float64
		loss   float64
	}{
		{"sgd", 1e-2, 0.1, 5000, 5.3671, -17.3012, 2.927647},
		{"adam", 1e-1, 1, 2000, 0.5367, -17.3021, 2.927646},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			model, err := onnxload.Parse(models.ThermometerONNX(), "")
			if err != nil {
				t.Fatal(err)
			}
			readings, err := data.NewLoader(dataset.Thermometer(), data.LoaderOptions{Scale: tt.scale})
			if err != nil {
				t.Fatal(err)
			}
			cfg := train.DefaultConfig()
			cfg.Epochs = tt.epochs
			cfg.Batch = readings.Len()
			cfg.Schedule = "constant"
			cfg.Optim = optim.Default(tt.rule)
			cfg.Optim.LR = optim.Set(tt.lr)
			result, err := train.Run(context.Background(), model, readings, nil, cfg)
			if err != nil {
				t.Fatal(err)
			}

			got := map[string]float64{"loss": result.Loss}
			for _, p := range model.Params {
				got[p.Name] = float64(p.Value[0])
			}
			// PyTorch's figures are rounded to as many digits, and the order of
			// summation costs a few units in the last of a float32.
			for name, want := range map[string][2]float64{
				"weight": {tt.w, 1e-4}, "bias": {tt.b, 1e-4}, "loss": {tt.loss, 2e-6},
			} {
				if math.Abs(got[name]-want[0]) > want[1] {
					t.Errorf("%s: got %.6f, want %.6f", name, got[name], want[0])
				}
			}
			t.Logf("weight %.6f, bias %.6f, loss %.6f", got["weight"], got["bias"], got["loss"])
		})
	}
}
