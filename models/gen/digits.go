package main

import (
	"math"
	"math/rand/v2"

	"finetune/models"
)

// digits is the network that reads digits, with random weights: two blocks of
// convolution, normalisation and pooling, and two dense layers; 52,162 numbers to
// learn.
func digits(seed uint64) ([]byte, error) {
	w := initializer{rand.New(rand.NewPCG(seed, 0))}
	n := start("digits", "image", -1, 1, models.Side, models.Side)

	n.convBlock(w, "1", 1, 8)  // (batch, 8, 14, 14)
	n.convBlock(w, "2", 8, 16) // (batch, 16, 7, 7)
	n.add("Flatten", "flat", nil, integer("axis", 1))
	n.dense(w, "fc1", 16*7*7, 64)
	n.add("Relu", "fc1_relu", nil)
	n.dense(w, "fc2", 64, 10)
	return n.finish("Reads the digit on 28x28 grey pixels, black 0 to white 1. Trained on drawn digits of several fonts.",
		"logits", -1, 10)
}

// convBlock is a 3x3 convolution that keeps height and width, batch
// normalisation, Relu, and pooling that halves both. The convolution has no
// bias, for the normalisation would take it away again.
func (n *network) convBlock(w initializer, number string, in, out int64) {
	conv, norm := "conv"+number, "norm"+number
	n.add("Conv", conv, []tensor{
		{conv + ".weight", []int64{out, in, 3, 3}, w.he(int(out*in*9), int(in*9))},
	}, ints("kernel_shape", 3, 3), ints("pads", 1, 1, 1, 1))
	n.add("BatchNormalization", norm, []tensor{
		{norm + ".scale", []int64{out}, constant(out, 1)},
		{norm + ".shift", []int64{out}, constant(out, 0)},
		{norm + ".mean", []int64{out}, constant(out, 0)},
		{norm + ".variance", []int64{out}, constant(out, 1)},
	})
	n.add("Relu", "relu"+number, nil)
	n.add("MaxPool", "pool"+number, nil, ints("kernel_shape", 2, 2), ints("strides", 2, 2))
}

// dense is a fully connected layer. The weight is stored (out, in), as PyTorch
// exports it.
func (n *network) dense(w initializer, name string, in, out int64) {
	n.add("Gemm", name, []tensor{
		{name + ".weight", []int64{out, in}, w.he(int(out*in), int(in))},
		{name + ".bias", []int64{out}, constant(out, 0)},
	}, integer("transB", 1))
}

// initializer draws the weights to start from.
type initializer struct{ *rand.Rand }

// he draws n weights for units with the given number of inputs, so that the
// variance of what passes through a Relu stays the same from layer to layer (He
// et al.: Delving deep into rectifiers, 2015).
func (w initializer) he(n, inputs int) []float32 {
	values := make([]float32, n)
	deviation := math.Sqrt(2 / float64(inputs))
	for i := range values {
		values[i] = float32(w.NormFloat64() * deviation)
	}
	return values
}

func constant(n int64, v float32) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = v
	}
	return values
}
