package export

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"

	"finetune/internal/onnxpb"
)

// format is how one element type is stored, in little-endian bytes. Values are
// float32 while they are trained.
type format struct {
	name  string
	size  int // bytes
	load  func(b []byte) float32
	store func(b []byte, v float32) // rounds to nearest, ties to even
}

var le = binary.LittleEndian

var formats = map[onnxpb.TensorProto_DataType]format{
	onnxpb.TensorProto_FLOAT: {"float32", 4,
		func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) },
		func(b []byte, v float32) { le.PutUint32(b, math.Float32bits(v)) },
	},
	onnxpb.TensorProto_DOUBLE: {"float64", 8,
		func(b []byte) float32 { return float32(math.Float64frombits(le.Uint64(b))) },
		func(b []byte, v float32) { le.PutUint64(b, math.Float64bits(float64(v))) },
	},
	onnxpb.TensorProto_FLOAT16: {"float16", 2,
		func(b []byte) float32 { return float16.Frombits(le.Uint16(b)).Float32() },
		func(b []byte, v float32) { le.PutUint16(b, float16.Fromfloat32(v).Bits()) },
	},
	onnxpb.TensorProto_BFLOAT16: {"bfloat16", 2,
		func(b []byte) float32 { return math.Float32frombits(uint32(le.Uint16(b)) << 16) },
		func(b []byte, v float32) { le.PutUint16(b, bfloat16(v)) },
	},
	// The codes of quantized weights.
	onnxpb.TensorProto_INT8: {"int8", 1,
		func(b []byte) float32 { return float32(int8(b[0])) },
		func(b []byte, v float32) { b[0] = byte(int8(v)) },
	},
	onnxpb.TensorProto_UINT8: {"uint8", 1,
		func(b []byte) float32 { return float32(b[0]) },
		func(b []byte, v float32) { b[0] = byte(v) },
	},
	onnxpb.TensorProto_INT16: {"int16", 2,
		func(b []byte) float32 { return float32(int16(le.Uint16(b))) },
		func(b []byte, v float32) { le.PutUint16(b, uint16(int16(v))) },
	},
	onnxpb.TensorProto_UINT16: {"uint16", 2,
		func(b []byte) float32 { return float32(le.Uint16(b)) },
		func(b []byte, v float32) { le.PutUint16(b, uint16(v)) },
	},
	onnxpb.TensorProto_INT32: {"int32", 4,
		func(b []byte) float32 { return float32(int32(le.Uint32(b))) },
		func(b []byte, v float32) { le.PutUint32(b, uint32(int32(min(float64(v), math.MaxInt32)))) },
	},
}

func formatNamed(dtype string) (format, bool) {
	for _, f := range formats {
		if f.name == dtype {
			return f, true
		}
	}
	return format{}, false
}

// bfloat16 is the upper half of a float32, rounded.
func bfloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 0x40 // the rounding below could turn a NaN into an infinity
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// replace writes those of values that differ from the elements stored in b, and
// counts them. Elements that are equal as float32 stay as they are, so that a
// float64 keeps its last digits.
func (f format) replace(b []byte, values []float32) (int, error) {
	changed := 0
	for i, v := range values {
		at := b[i*f.size : (i+1)*f.size]
		if same(f.load(at), v) {
			continue
		}
		f.store(at, v)
		if w := f.load(at); math.IsInf(float64(w), 0) && !math.IsInf(float64(v), 0) {
			return changed, fmt.Errorf("element %d is %g, too large for %s", i, v, f.name)
		}
		changed++
	}
	return changed, nil
}

// round is v as it comes back from a file.
func (f format) round(v float32) float32 {
	var b [8]byte
	f.store(b[:], v)
	return f.load(b[:])
}

// same compares bit by bit: 0 and -0 differ, a NaN equals itself.
func same(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }
