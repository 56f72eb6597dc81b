package main

import (
	"path/filepath"

	"finetune/train/data"
)

// subject is a model of the study, with how its pixels are scaled.
type subject struct {
	name      string // of the file
	data      string // folder of the corpus; or a file, and
	test      string // that of the test
	options   data.LoaderOptions
	batchNorm bool
	epochs    int
	// temperature is what training of ours divides the scores by, found by itself;
	// 0 is nothing.
	temperature float64
	findings    string // what the trials say, for the page
}

var subjects = []subject{
	{name: "mnist_cnn_bn_torch20", data: "datasets/mnist", batchNorm: true, epochs: 1,
		options: data.LoaderOptions{Scale: 1. / 255, Mean: []float64{0.1307}, Std: []float64{0.3081}}},
	{name: "mnist_cnn_torch11", data: "datasets/mnist", epochs: 1, temperature: 58.18},
	{name: "cifar_cnn_winml", data: "datasets/cifar10/train_first5000.bin", test: "datasets/cifar10/test_batch_first1000.bin", epochs: 3,
		options: data.LoaderOptions{Scale: 1. / 255, Mean: []float64{0.5}, Std: []float64{0.5}}},
}

// loader reads the examples to train on, or those to test with.
func (sub subject) loader(corpus, half string) (*data.Loader, error) {
	path := sub.data
	if half == "test" && sub.test != "" {
		path, half = sub.test, "train"
	}
	src, err := data.Open(filepath.Join(corpus, path), data.Options{Split: half})
	if err != nil {
		return nil, err
	}
	return data.NewLoader(src, sub.options)
}
