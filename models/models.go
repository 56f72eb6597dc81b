// Package models holds two small ONNX models and the data they are about, so
// that the demo, the examples and the tests need nothing that is not in the
// program.
//
//   - digits.onnx reads handwritten-looking digits: a convolutional network with
//     batch normalisation, trained on Clean digits. It is good at those and poor
//     at Rough ones, which is what fine-tuning is for. Digits draws both.
//   - thermometer.onnx is a straight line, t_c = w·t_u + b, with w = 1 and b = 0.
//     Thermometer has the eleven readings to fit it to.
//
// The files are made by the program in gen: go generate makes them anew, byte for
// byte the same on a processor of the same kind. Package dataset offers the data
// to the training loop.
package models

import (
	_ "embed"
	"slices"
)

//go:generate go run ./gen

//go:embed digits.onnx
var digitsONNX []byte

//go:embed thermometer.onnx
var thermometerONNX []byte

// DigitsONNX is the file digits.onnx.
//
// Its input "image" is float32 of shape (batch, 1, Side, Side): the grey of the
// pixels that Draw draws, divided by 255. Its output "logits" is (batch, 10), one
// figure per digit; the largest is the answer, and a softmax makes probabilities
// of them. The batch dimension is open.
func DigitsONNX() []byte { return slices.Clone(digitsONNX) }

// ThermometerONNX is the file thermometer.onnx.
//
// Its input "t_u" and its output "t_c" are float32 of shape (batch, 1). The batch
// dimension is open. Parameters: "weight" (1, 1) is 1, "bias" (1) is 0.
func ThermometerONNX() []byte { return slices.Clone(thermometerONNX) }
