package onnxload

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/x448/float16"

	"finetune/internal/onnxpb"
)

// maxRank is as many axes as we take a file's word for. Nobody has more than
// eight or so; the limit keeps shapes that are lies small.
const maxRank = 64

// tensorReader decodes the tensors of one model.
type tensorReader struct {
	external *external
	spare    int // elements that sparse tensors may still unfold to
}

// newTensorReader is for a model file of the given size in the folder dir.
func newTensorReader(size int, dir string) *tensorReader {
	const free, perByte = 1 << 22, 256
	return &tensorReader{external: newExternal(dir), spare: free + perByte*size}
}

func (r *tensorReader) close() { r.external.close() }

// dense decodes one tensor. Memory is allocated only after the payload has been
// found to be as long as the shape says.
func (r *tensorReader) dense(p *onnxpb.TensorProto) (*Tensor, error) {
	e, ok := elementOf(p.GetDataType())
	if !ok {
		return nil, formatError("", "unknown element type %d", p.GetDataType())
	}
	shape, n, err := checkShape(p.GetDims())
	if err != nil {
		return nil, err
	}
	if p.Segment != nil {
		return nil, formatError("", "the payload is split into segments, which no ONNX version defines")
	}
	t := &Tensor{Name: p.GetName(), DType: e.dtype, Shape: shape, At: Origin{Node: -1}}
	raw := p.GetRawData()
	switch {
	case p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL:
		if raw, err = r.external.read(p, n, e, &t.At); err != nil {
			return nil, err
		}
		return t, t.decodeRaw(raw, n, e)
	case len(raw) > 0 && typedLen(p) > 0:
		return nil, formatError("", "the payload is there twice, as raw_data and in a typed field")
	case len(raw) > 0:
		return t, t.decodeRaw(raw, n, e)
	}
	return t, t.decodeTyped(p, n, e)
}

// checkShape turns a shape from the file into ours, with its number of elements.
func checkShape(dims []int64) ([]int, int, error) {
	if len(dims) > maxRank {
		return nil, 0, formatError("", "%d axes", len(dims))
	}
	shape := make([]int, len(dims))
	n, empty := uint64(1), false
	for i, d := range dims {
		if d < 0 {
			return nil, 0, formatError("", "negative dimension in shape %v", dims)
		}
		shape[i] = int(d)
		if d == 0 {
			empty = true // the other dimensions still have to make sense
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt/16 {
			return nil, 0, formatError("", "shape %v has more elements than any memory", dims)
		}
		n = lo
	}
	if empty {
		n = 0
	}
	return shape, int(n), nil
}

// decodeRaw reads little-endian elements, 4-bit and 2-bit ones low bits first.
func (t *Tensor) decodeRaw(raw []byte, n int, e element) error {
	if e.bits == 0 {
		return formatError("", "strings cannot be stored as raw_data")
	}
	if want := byteLen(n, e); len(raw) != want {
		return formatError("", "shape %v of %s takes %d bytes, the payload has %d", t.Shape, e.dtype, want, len(raw))
	}
	if e.dtype.inFloats() {
		t.F = make([]float32, n)
	} else if e.dtype.IsInt() {
		t.I = make([]int64, n)
	}
	if m := minifloats[e.dtype]; m != nil {
		m.decode(t.F, func(i int) int64 { return int64(raw[i]) })
	}
	le := binary.LittleEndian
	switch e.dtype {
	case Float32:
		inParts(n, func(from, to int) {
			for i := from; i < to; i++ {
				t.F[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
			}
		})
	case Float64:
		for i := range t.F {
			t.F[i] = float32(math.Float64frombits(le.Uint64(raw[8*i:])))
		}
	case Float16:
		inParts(n, func(from, to int) {
			for i := from; i < to; i++ {
				t.F[i] = float16.Frombits(le.Uint16(raw[2*i:])).Float32()
			}
		})
	case BFloat16:
		for i := range t.F {
			t.F[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	case Int64, Uint64:
		for i := range t.I {
			t.I[i] = int64(le.Uint64(raw[8*i:]))
		}
	case Int32:
		for i := range t.I {
			t.I[i] = int64(int32(le.Uint32(raw[4*i:])))
		}
	case Uint32:
		for i := range t.I {
			t.I[i] = int64(le.Uint32(raw[4*i:]))
		}
	case Int16:
		for i := range t.I {
			t.I[i] = int64(int16(le.Uint16(raw[2*i:])))
		}
	case Uint16:
		for i := range t.I {
			t.I[i] = int64(le.Uint16(raw[2*i:]))
		}
	case Int8:
		for i := range t.I {
			t.I[i] = int64(int8(raw[i]))
		}
	case Uint8:
		for i := range t.I {
			t.I[i] = int64(raw[i])
		}
	case Bool:
		for i := range t.I {
			t.I[i] = truth(int64(raw[i]))
		}
	case Int4, Uint4, Int2, Uint2:
		per := 8 / e.bits
		for i := range t.I {
			t.I[i] = small(int64(raw[i/per])>>(e.bits*(i%per)), e)
		}
	}
	return nil
}

// decodeTyped reads a payload from the field that belongs to the type.
func (t *Tensor) decodeTyped(p *onnxpb.TensorProto, n int, e element) error {
	want, got, field := n, 0, ""
	switch e.dtype {
	case Float32:
		got, field = len(p.FloatData), "float_data"
	case Complex64:
		want, got, field = 2*n, len(p.FloatData), "float_data"
	case Float64:
		got, field = len(p.DoubleData), "double_data"
	case Complex128:
		want, got, field = 2*n, len(p.DoubleData), "double_data"
	case Int64:
		got, field = len(p.Int64Data), "int64_data"
	case Uint32, Uint64:
		got, field = len(p.Uint64Data), "uint64_data"
	case String:
		got, field = len(p.StringData), "string_data"
	case Int4, Uint4, Int2, Uint2, Float4E2M1:
		want, got, field = byteLen(n, e), len(p.Int32Data), "int32_data" // one byte of packed elements each
	default:
		got, field = len(p.Int32Data), "int32_data"
	}
	if got != want {
		if typedLen(p) == 0 {
			return formatError("", "shape %v of %s takes %d elements, there is no payload", t.Shape, e.dtype, n)
		}
		return formatError("", "shape %v of %s takes %d values in %s, there are %d", t.Shape, e.dtype, want, field, got)
	}
	if e.dtype.inFloats() {
		t.F = make([]float32, n)
	} else if e.dtype.IsInt() {
		t.I = make([]int64, n)
	}
	if m := minifloats[e.dtype]; m != nil {
		m.decode(t.F, func(i int) int64 { return int64(p.Int32Data[i]) })
	}
	switch e.dtype {
	case Float32:
		copy(t.F, p.FloatData)
	case Float64:
		for i, v := range p.DoubleData {
			t.F[i] = float32(v)
		}
	case Float16:
		for i, v := range p.Int32Data {
			t.F[i] = float16.Frombits(uint16(v)).Float32()
		}
	case BFloat16:
		for i, v := range p.Int32Data {
			t.F[i] = math.Float32frombits(uint32(uint16(v)) << 16)
		}
	case Int64:
		copy(t.I, p.Int64Data)
	case Uint32, Uint64:
		for i, v := range p.Uint64Data {
			t.I[i] = int64(v)
		}
	case Bool:
		for i, v := range p.Int32Data {
			t.I[i] = truth(int64(v))
		}
	case Int4, Uint4, Int2, Uint2:
		per := 8 / e.bits
		for i := range t.I {
			t.I[i] = small(int64(p.Int32Data[i/per])>>(e.bits*(i%per)), e)
		}
	case Int8, Int16, Int32, Uint8, Uint16:
		for i, v := range p.Int32Data {
			t.I[i] = int64(v)
		}
	}
	return nil
}

// typedLen is the number of values in all fields but raw_data.
func typedLen(p *onnxpb.TensorProto) int {
	return len(p.FloatData) + len(p.Int32Data) + len(p.StringData) + len(p.Int64Data) + len(p.DoubleData) + len(p.Uint64Data)
}

// byteLen is the length of n elements in raw_data.
func byteLen(n int, e element) int {
	if e.bits < 8 {
		per := 8 / e.bits
		return n/per + (n%per+per-1)/per
	}
	return n * (e.bits / 8)
}

func truth(v int64) int64 {
	if v != 0 {
		return 1
	}
	return 0
}

// small is the lowest element of v, which is narrower than a byte.
func small(v int64, e element) int64 {
	shift := 64 - e.bits
	if e.dtype == Int4 || e.dtype == Int2 {
		return v << shift >> shift
	}
	return int64(uint64(v) << shift >> shift)
}

// sparse decodes a sparse tensor and unfolds it.
func (r *tensorReader) sparse(p *onnxpb.SparseTensorProto) (*Tensor, error) {
	if p.Values == nil || p.Indices == nil {
		return nil, formatError("", "a sparse tensor without values or indices")
	}
	values, err := r.dense(p.Values)
	if err != nil {
		return nil, inside("sparse values", err)
	}
	indices, err := r.dense(p.Indices)
	if err != nil {
		return nil, inside("sparse indices", err)
	}
	shape, n, err := checkShape(p.GetDims())
	if err != nil {
		return nil, err
	}
	count := len(values.F) + len(values.I)
	flat := len(indices.Shape) == 1
	switch {
	case len(values.Shape) != 1 || values.F == nil && values.I == nil:
		return nil, formatError("", "sparse values have type %s and shape %v, want numbers in one row", values.DType, values.Shape)
	case indices.DType != Int64:
		return nil, formatError("", "sparse indices have type %s, want int64", indices.DType)
	case !flat && (len(indices.Shape) != 2 || indices.Shape[1] != len(shape)), indices.Shape[0] != count:
		return nil, formatError("", "sparse indices have shape %v, want [%d] or [%d %d]", indices.Shape, count, count, len(shape))
	case n > r.spare:
		return nil, formatError("", "a sparse tensor of shape %v unfolds to %d elements, more than is plausible for this file", shape, n)
	}
	r.spare -= n
	t := &Tensor{Name: values.Name, DType: values.DType, Shape: shape, At: Origin{Node: -1, Sparse: true}}
	if values.F != nil {
		t.F = make([]float32, n)
	} else {
		t.I = make([]int64, n)
	}
	for i := range count {
		at := 0
		if flat {
			at = int(indices.I[i])
		} else {
			for axis, d := range shape {
				j := indices.I[i*len(shape)+axis]
				if j < 0 || j >= int64(d) {
					return nil, formatError("", "sparse index %d is outside axis %d of shape %v", j, axis, shape)
				}
				at = at*d + int(j)
			}
		}
		if at < 0 || at >= n {
			return nil, formatError("", "sparse index %d is outside shape %v", at, shape)
		}
		if values.F != nil {
			t.F[at] = values.F[i]
		} else {
			t.I[at] = values.I[i]
		}
	}
	return t, nil
}
