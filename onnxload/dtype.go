package onnxload

import (
	"finetune/internal/onnxpb"
)

// The element types of ONNX.
const (
	Float32    DType = "float32"
	Float64    DType = "float64"
	Float16    DType = "float16"
	BFloat16   DType = "bfloat16"
	Int8       DType = "int8"
	Int16      DType = "int16"
	Int32      DType = "int32"
	Int64      DType = "int64"
	Uint8      DType = "uint8"
	Uint16     DType = "uint16"
	Uint32     DType = "uint32"
	Uint64     DType = "uint64"
	Bool       DType = "bool"
	String     DType = "string"
	Complex64  DType = "complex64"
	Complex128 DType = "complex128"
	Int4       DType = "int4"
	Uint4      DType = "uint4"
	Int2       DType = "int2"
	Uint2      DType = "uint2"

	Float8E4M3FN   DType = "float8e4m3fn"
	Float8E4M3FNUZ DType = "float8e4m3fnuz"
	Float8E5M2     DType = "float8e5m2"
	Float8E5M2FNUZ DType = "float8e5m2fnuz"
	Float8E8M0     DType = "float8e8m0"
	Float4E2M1     DType = "float4e2m1"
)

// element is how one type is stored.
type element struct {
	dtype DType
	bits  int // of an element in raw_data; 0 for strings
}

// elementTypes is indexed by the number of the type in the file.
var elementTypes = []element{
	onnxpb.TensorProto_FLOAT:          {Float32, 32},
	onnxpb.TensorProto_UINT8:          {Uint8, 8},
	onnxpb.TensorProto_INT8:           {Int8, 8},
	onnxpb.TensorProto_UINT16:         {Uint16, 16},
	onnxpb.TensorProto_INT16:          {Int16, 16},
	onnxpb.TensorProto_INT32:          {Int32, 32},
	onnxpb.TensorProto_INT64:          {Int64, 64},
	onnxpb.TensorProto_STRING:         {String, 0},
	onnxpb.TensorProto_BOOL:           {Bool, 8},
	onnxpb.TensorProto_FLOAT16:        {Float16, 16},
	onnxpb.TensorProto_DOUBLE:         {Float64, 64},
	onnxpb.TensorProto_UINT32:         {Uint32, 32},
	onnxpb.TensorProto_UINT64:         {Uint64, 64},
	onnxpb.TensorProto_COMPLEX64:      {Complex64, 64},
	onnxpb.TensorProto_COMPLEX128:     {Complex128, 128},
	onnxpb.TensorProto_BFLOAT16:       {BFloat16, 16},
	onnxpb.TensorProto_FLOAT8E4M3FN:   {Float8E4M3FN, 8},
	onnxpb.TensorProto_FLOAT8E4M3FNUZ: {Float8E4M3FNUZ, 8},
	onnxpb.TensorProto_FLOAT8E5M2:     {Float8E5M2, 8},
	onnxpb.TensorProto_FLOAT8E5M2FNUZ: {Float8E5M2FNUZ, 8},
	onnxpb.TensorProto_UINT4:          {Uint4, 4},
	onnxpb.TensorProto_INT4:           {Int4, 4},
	onnxpb.TensorProto_FLOAT4E2M1:     {Float4E2M1, 4},
	onnxpb.TensorProto_FLOAT8E8M0:     {Float8E8M0, 8},
	onnxpb.TensorProto_UINT2:          {Uint2, 2},
	onnxpb.TensorProto_INT2:           {Int2, 2},
}

// elementOf looks a type up by its number in the file.
func elementOf(code int32) (element, bool) {
	if code <= 0 || int(code) >= len(elementTypes) {
		return element{}, false
	}
	return elementTypes[code], true
}

// DTypeOf is the type with the given number in ONNX files (1 is float32), as
// used by the attribute "to" of Cast and "dtype" of others. It reports whether
// there is such a type.
func DTypeOf(code int) (DType, bool) {
	if code != int(int32(code)) {
		return "", false
	}
	e, ok := elementOf(int32(code))
	return e.dtype, ok
}

// IsFloat reports whether values of the type are computed in float32.
func (d DType) IsFloat() bool {
	switch d {
	case Float32, Float64, Float16, BFloat16:
		return true
	}
	return false
}

// inFloats reports whether values of the type are held as float32: besides those
// that IsFloat names the formats of eight bits and less, which only serve to store
// numbers and are not trained.
func (d DType) inFloats() bool { return d.IsFloat() || minifloats[d] != nil }

// IsInt reports whether values of the type are computed in int64; bool is one.
func (d DType) IsInt() bool {
	switch d {
	case Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Bool, Int4, Uint4, Int2, Uint2:
		return true
	}
	return false
}
