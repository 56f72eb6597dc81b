// Package onnxpb holds the Go bindings of the ONNX file format, generated from
// onnx.proto. To change them, edit that file and run go generate with protoc 3.21
// and protoc-gen-go 1.36.12 on the PATH.
package onnxpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative onnx.proto
