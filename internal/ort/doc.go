// Package ort runs models in ONNX Runtime, for tests that hold our results to
// it. It is compiled with the build tag ort only, needs cgo, and loads the shared
// library that the environment variable ONNXRUNTIME_LIB names; npm's package
// onnxruntime-node has one, as libonnxruntime.so.1. To run such tests:
//
//	ONNXRUNTIME_LIB=…/libonnxruntime.so.1 go test -tags ort ./...
package ort
