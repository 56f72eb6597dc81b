package onnxload

import (
	"fmt"
	"math"

	"github.com/x448/float16"

	"finetune/internal/op"
)

// BitCast: the same bits as another element type of the same width, which
// attribute to names by its number. No gradient flows. A float64 has the bits of
// the float32 that we hold of it.
// https://onnx.ai/onnx/operators/onnx__BitCast.html, opset 26. Rejected: types
// below a byte, floating-point types of eight bits.
func lowerBitCast(c *call) ([]*value, error) {
	to, ok := DTypeOf(c.Attrs.Int("to", 0))
	if !ok {
		return nil, fmt.Errorf("attribute to: no element type has number %d", c.Attrs.Int("to", 0))
	}
	from := c.in[0].dtype
	a, b := bitsOf[from], bitsOf[to]
	switch {
	case a == nil || b == nil:
		return nil, unsupported(c.Node, fmt.Sprintf("from %s to %s is not supported", from, to))
	case a.width != b.width:
		return nil, fmt.Errorf("from %s to %s, which has another number of bits", from, to)
	}
	st, _ := to.storage()
	n, err := op.Compute("BitCast", c.shape(0), st, func(k *op.Call) error {
		for i := range k.Out.Len() {
			b.put(k.Out, i, a.take(k.In[0], i))
		}
		return nil
	}, c.node(0))
	return c.resultAs(to, n, err)
}

// bitPattern converts between elements as we hold them and their bits in ONNX.
type bitPattern struct {
	width int
	take  func(b op.Buffer, i int) uint64
	put   func(b op.Buffer, i int, bits uint64)
}

var bitsOf = map[DType]*bitPattern{
	Float32: {32, func(b op.Buffer, i int) uint64 { return uint64(math.Float32bits(b.F[i])) },
		func(b op.Buffer, i int, v uint64) { b.F[i] = math.Float32frombits(uint32(v)) }},
	Float64: {64, func(b op.Buffer, i int) uint64 { return math.Float64bits(float64(b.F[i])) },
		func(b op.Buffer, i int, v uint64) { b.F[i] = float32(math.Float64frombits(v)) }},
	Float16: {16, func(b op.Buffer, i int) uint64 { return uint64(float16.Fromfloat32(b.F[i]).Bits()) },
		func(b op.Buffer, i int, v uint64) { b.F[i] = float16.Frombits(uint16(v)).Float32() }},
	BFloat16: {16, func(b op.Buffer, i int) uint64 {
		v := math.Float32bits(b.F[i])
		return uint64((v + 0x7FFF + v>>16&1) >> 16) // to the nearest, halves to even
	},
		func(b op.Buffer, i int, v uint64) { b.F[i] = math.Float32frombits(uint32(v) << 16) }},
	Bool: integerBits(8, false), Uint8: integerBits(8, false), Int8: integerBits(8, true),
	Uint16: integerBits(16, false), Int16: integerBits(16, true),
	Uint32: integerBits(32, false), Int32: integerBits(32, true),
	Uint64: integerBits(64, false), Int64: integerBits(64, true),
}

func integerBits(width int, signed bool) *bitPattern {
	shift := 64 - width
	return &bitPattern{width,
		func(b op.Buffer, i int) uint64 { return uint64(b.I[i]) << shift >> shift },
		func(b op.Buffer, i int, v uint64) {
			b.I[i] = int64(v << shift >> shift)
			if signed {
				b.I[i] = int64(v) << shift >> shift
			}
		}}
}
