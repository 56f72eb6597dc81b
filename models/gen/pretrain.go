package main

import (
	"context"
	"fmt"
	"os"

	"finetune/models"
	"finetune/models/dataset"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
	"finetune/train/data"
)

// pretrain teaches a network to read clean digits. Batch normalisation learns
// from the batches, as the network has no statistics yet.
func pretrain(network []byte) ([]byte, error) {
	model, err := onnxload.Parse(network, "")
	if err != nil {
		return nil, err
	}
	pixels := data.LoaderOptions{Scale: 1.0 / 255}
	training, err := data.NewLoader(dataset.Digits(models.Clean, 1, 10_000), pixels)
	if err != nil {
		return nil, err
	}
	held, err := data.NewLoader(dataset.Digits(models.Clean, 2, 2_000), pixels)
	if err != nil {
		return nil, err
	}

	cfg := train.DefaultConfig()
	cfg.Epochs = 3
	cfg.BatchNorm = onnxload.BatchNormTrain
	cfg.Seed = 1
	cfg.Optim.LR = optim.Set(2e-3)
	cfg.Observe = func(e train.Event) {
		if e.Kind == train.EpochDone {
			fmt.Fprintf(os.Stderr, "epoch %d of %d: loss %.4f, accuracy %.4f on held-out digits\n",
				e.Epoch, e.Epochs, e.Loss, *e.Held.Accuracy)
		}
	}
	if _, err := train.Run(context.Background(), model, training, held, cfg); err != nil {
		return nil, err
	}

	values := map[string][]float32{}
	for _, p := range model.Params {
		values[p.Name] = p.Value
	}
	return replace(network, values)
}
