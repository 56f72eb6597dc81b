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
	{name: "mnist_cnn_bn_torch20", data: "datasets/mnist", batchNorm: true, epochs: 1, findings: findingsDeep,
		options: data.LoaderOptions{Scale: 1. / 255, Mean: []float64{0.1307}, Std: []float64{0.3081}}},
	{name: "mnist_cnn_torch11", data: "datasets/mnist", epochs: 1, temperature: 58.18, findings: findingsSmall},
	{name: "cifar_cnn_winml", data: "datasets/cifar10/train_first5000.bin", test: "datasets/cifar10/test_batch_first1000.bin", epochs: 3, findings: findingsColour,
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

// What the trials say about each subject.
const (
	findingsDeep = `Three convolutions and 372,000 weights in a linear layer, many more than digits need: at
95 % zeros all methods that rank the layers together are within half a point of no
pruning. What counts is not which weights go but how long the learning rate has to fall
after that: pruning at once, as PyTorch does, is about a tenth of a point above pruning
on the way, up to 95 %. Beside PyTorch that makes a draw. Whether batch normalisation
keeps its statistics or learns makes no clear difference: a tenth of a point up to 90 %.
`
	findingsSmall = `Two convolutions of 5×5 and two linear layers, 21,750 weights, no batch normalisation. Up
to 80 % nothing is lost; from 90 % on it is worth to prune on the way, by LAMP or by
magnitude, which here are the same. Its pixels are 0 to 255 and its scores 58 times too
far apart for cross-entropy; ours finds that out and divides them while training. PyTorch
does not, which costs it some points: with our temperature it is where our pruning at
once is, which is the same computation but for the ranking.
`
	findingsColour = `Four convolutions and a linear layer, 50,100 weights, that are not done learning: training
without pruning brings six points more. Its layers differ in scale, so that one
threshold empties some of them and leaves chance; a ranking that knows that, LAMP, is
ahead of all others from 80 % on. At 50 % pruning at once and by layer, PyTorch's and
ours alike, is better than no pruning by a little. Letting weights come back, RigL and SET, does harm in so short a
run.
`
)
