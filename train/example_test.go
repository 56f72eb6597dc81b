package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"finetune/export"
	"finetune/models"
	"finetune/models/dataset"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
	"finetune/train/data"
)

// A model that reads printed digits learns to read rough ones, and loses half of
// its weights on the way.
func Example() {
	dir, err := os.MkdirTemp("", "")
	check(err)
	defer os.RemoveAll(dir)
	base, tuned := filepath.Join(dir, "digits.onnx"), filepath.Join(dir, "small.onnx")
	check(os.WriteFile(base, models.DigitsONNX(), 0o666))

	m, err := onnxload.Open(base)
	check(err)
	pixels := data.LoaderOptions{Scale: 1.0 / 255}
	training, err := data.NewLoader(dataset.Digits(models.Rough, 1, 600), pixels)
	check(err)
	held, err := data.NewLoader(dataset.Digits(models.Rough, 2, 200), pixels)
	check(err)

	cfg := train.DefaultConfig()
	cfg.Epochs, cfg.Batch = 2, 32
	cfg.Optim.LR = optim.Set(3e-3)
	cfg.Optim.L1 = optim.Set(1e-5)
	cfg.Prune.Sparsity = optim.Set(0.5)
	result, err := train.Run(context.Background(), m, training, held, cfg)
	check(err)
	report, err := export.Write(tuned, m, export.Options{})
	check(err)

	zeros := 0
	for _, p := range report.Params {
		zeros += p.Zeros
	}
	better := *result.After.Accuracy > *result.Before.Accuracy+0.05
	fmt.Printf("%d steps, %d zeros, better: %v\n", result.Steps, zeros, better)
	// Output: 38 steps, 26020 zeros, better: true
}

// Validation computes no gradients and changes nothing.
func ExampleEvaluate() {
	m, err := onnxload.Parse(models.DigitsONNX(), "")
	check(err)
	held, err := data.NewLoader(dataset.Digits(models.Clean, 2, 100), data.LoaderOptions{Scale: 1.0 / 255})
	check(err)
	metrics, err := train.Evaluate(context.Background(), m, held, train.DefaultConfig())
	check(err)
	gradients := 0
	for _, p := range m.Params {
		gradients += len(p.Grad)
	}
	fmt.Printf("%d examples, above nine in ten: %v, %d gradients\n", metrics.Examples, *metrics.Accuracy > 0.9, gradients)
	// Output: 100 examples, above nine in ten: true, 0 gradients
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
