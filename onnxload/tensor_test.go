package onnxload

import (
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// decodeTensor decodes one tensor by itself.
func decodeTensor(t *testing.T, p *onnxpb.TensorProto) *Tensor {
	t.Helper()
	got, err := newTensorReader(100, "").dense(p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Every element type, from raw bytes and from the typed field, must widen to the
// same values.
func TestElementTypes(t *testing.T) {
	for _, test := range []struct {
		code  onnxpb.TensorProto_DataType
		raw   string
		typed *onnxpb.TensorProto
		f     []float32
		i     []int64
	}{
		{code: onnxpb.TensorProto_FLOAT, raw: "\x00\x00\xc0\x3f\x00\x00\x80\xff",
			typed: &onnxpb.TensorProto{FloatData: []float32{1.5, float32(math.Inf(-1))}}, f: []float32{1.5, float32(math.Inf(-1))}},
		{code: onnxpb.TensorProto_DOUBLE, raw: "\x00\x00\x00\x00\x00\x00\xf8\x3f\x9a\x99\x99\x99\x99\x99\xb9\x3f",
			typed: &onnxpb.TensorProto{DoubleData: []float64{1.5, 0.1}}, f: []float32{1.5, 0.1}},
		{code: onnxpb.TensorProto_FLOAT16, raw: "\x00\x3e\x01\x80", // 1.5 and the smallest negative subnormal
			typed: &onnxpb.TensorProto{Int32Data: []int32{0x3e00, 0x8001}}, f: []float32{1.5, -1.0 / (1 << 24)}},
		{code: onnxpb.TensorProto_BFLOAT16, raw: "\xc0\x3f\x80\xff",
			typed: &onnxpb.TensorProto{Int32Data: []int32{0x3fc0, 0xff80}}, f: []float32{1.5, float32(math.Inf(-1))}},
		{code: onnxpb.TensorProto_INT8, raw: "\x7f\x80", typed: &onnxpb.TensorProto{Int32Data: []int32{127, -128}}, i: []int64{127, -128}},
		{code: onnxpb.TensorProto_UINT8, raw: "\x7f\x80", typed: &onnxpb.TensorProto{Int32Data: []int32{127, 128}}, i: []int64{127, 128}},
		{code: onnxpb.TensorProto_INT16, raw: "\x01\x02\xff\xff", typed: &onnxpb.TensorProto{Int32Data: []int32{513, -1}}, i: []int64{513, -1}},
		{code: onnxpb.TensorProto_UINT16, raw: "\x01\x02\xff\xff", typed: &onnxpb.TensorProto{Int32Data: []int32{513, 65535}}, i: []int64{513, 65535}},
		{code: onnxpb.TensorProto_INT32, raw: "\x01\x00\x00\x00\xff\xff\xff\xff",
			typed: &onnxpb.TensorProto{Int32Data: []int32{1, -1}}, i: []int64{1, -1}},
		{code: onnxpb.TensorProto_UINT32, raw: "\x01\x00\x00\x00\xff\xff\xff\xff",
			typed: &onnxpb.TensorProto{Uint64Data: []uint64{1, math.MaxUint32}}, i: []int64{1, math.MaxUint32}},
		{code: onnxpb.TensorProto_INT64, raw: "\x01\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
			typed: &onnxpb.TensorProto{Int64Data: []int64{1, -1}}, i: []int64{1, -1}},
		{code: onnxpb.TensorProto_UINT64, raw: "\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00",
			typed: &onnxpb.TensorProto{Uint64Data: []uint64{1, 2}}, i: []int64{1, 2}},
		{code: onnxpb.TensorProto_BOOL, raw: "\x00\x02", typed: &onnxpb.TensorProto{Int32Data: []int32{0, 1}}, i: []int64{0, 1}},
		{code: onnxpb.TensorProto_INT4, raw: "\x87", typed: &onnxpb.TensorProto{Int32Data: []int32{0x87}}, i: []int64{7, -8}},
		{code: onnxpb.TensorProto_UINT4, raw: "\x87", typed: &onnxpb.TensorProto{Int32Data: []int32{0x87}}, i: []int64{7, 8}},
		{code: onnxpb.TensorProto_INT2, raw: "\x06", typed: &onnxpb.TensorProto{Int32Data: []int32{6}}, i: []int64{-2, 1}},
		{code: onnxpb.TensorProto_UINT2, raw: "\x06", typed: &onnxpb.TensorProto{Int32Data: []int32{6}}, i: []int64{2, 1}},
		{code: onnxpb.TensorProto_STRING, typed: &onnxpb.TensorProto{StringData: [][]byte{{'a'}, {'b'}}}},
		{code: onnxpb.TensorProto_COMPLEX64, raw: strings.Repeat("\x00", 16), typed: &onnxpb.TensorProto{FloatData: make([]float32, 4)}},
		{code: onnxpb.TensorProto_COMPLEX128, raw: strings.Repeat("\x00", 32), typed: &onnxpb.TensorProto{DoubleData: make([]float64, 4)}},
		{code: onnxpb.TensorProto_FLOAT8E4M3FN, raw: "\x00\x01", typed: &onnxpb.TensorProto{Int32Data: []int32{0, 1}}, f: []float32{0, 1.0 / 512}},
		{code: onnxpb.TensorProto_FLOAT4E2M1, raw: "\x10", typed: &onnxpb.TensorProto{Int32Data: []int32{16}}, f: []float32{0, 0.5}},
	} {
		for _, form := range []string{"raw", "typed"} {
			t.Run(test.code.String()+" "+form, func(t *testing.T) {
				p := &onnxpb.TensorProto{RawData: []byte(test.raw)}
				if form == "typed" {
					p = test.typed
				} else if test.raw == "" {
					t.Skip("strings have no raw form")
				}
				p.DataType, p.Dims = proto.Int32(int32(test.code)), []int64{2}
				got := decodeTensor(t, p)
				if !slices.Equal(got.F, test.f) || !slices.Equal(got.I, test.i) || (got.F == nil) != (test.f == nil) || (got.I == nil) != (test.i == nil) {
					t.Errorf("got %v %v, want %v %v", got.F, got.I, test.f, test.i)
				}
			})
		}
	}
}

// An odd number of small elements ends in the middle of a byte.
func TestPackedTail(t *testing.T) {
	got := decodeTensor(t, &onnxpb.TensorProto{DataType: proto.Int32(int32(onnxpb.TensorProto_UINT4)), Dims: []int64{3}, RawData: []byte{0x21, 0xf3}})
	if want := []int64{1, 2, 3}; !slices.Equal(got.I, want) {
		t.Errorf("got %v, want %v", got.I, want)
	}
}

func TestScalarAndEmptyTensors(t *testing.T) {
	scalar := decodeTensor(t, floats("", nil, 3))
	if len(scalar.Shape) != 0 || !slices.Equal(scalar.F, []float32{3}) {
		t.Errorf("got %v of shape %v, want [3] of shape []", scalar.F, scalar.Shape)
	}
	for _, dims := range [][]int64{{0}, {2, 0, 3}} {
		empty := decodeTensor(t, floats("", dims))
		if len(empty.Shape) != len(dims) || empty.F == nil || len(empty.F) != 0 {
			t.Errorf("shape %v: got %v of shape %v, want nothing, but not nil", dims, empty.F, empty.Shape)
		}
	}
}

// Sparse initializers are unfolded, from positions as well as from coordinates.
func TestSparseInitializers(t *testing.T) {
	pairs := integers("", 0, 1, 1, 2)
	pairs.Dims = []int64{2, 2}
	for name, indices := range map[string]*onnxpb.TensorProto{"positions": integers("", 1, 5), "coordinates": pairs} {
		m := sample()
		m.Graph.Initializer = m.Graph.Initializer[1:]
		m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: floats("w", []int64{2}, 7, 8), Indices: indices, Dims: []int64{2, 3}}}
		got := parse(t, m).Tensors["w"]
		if want := []float32{0, 7, 0, 0, 0, 8}; !slices.Equal(got.F, want) || !slices.Equal(got.Shape, []int{2, 3}) {
			t.Errorf("%s: got %v of shape %v, want %v of shape [2 3]", name, got.F, got.Shape, want)
		}
		if want := (Origin{Node: -1, Sparse: true}); got.At != want {
			t.Errorf("%s: got origin %+v, want %+v", name, got.At, want)
		}
	}
}

// A Constant node is a tensor, whichever attribute holds its value, and says
// where export finds it.
func TestConstants(t *testing.T) {
	attribute := func(name string, typ onnxpb.AttributeProto_AttributeType) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: proto.String(name), Type: typ.Enum()}
	}
	one := attribute("value_float", onnxpb.AttributeProto_FLOAT)
	one.F = proto.Float32(2.5)
	many := attribute("value_floats", onnxpb.AttributeProto_FLOATS)
	many.Floats = []float32{1, 2}
	ints := attribute("value_ints", onnxpb.AttributeProto_INTS)
	ints.Ints = []int64{3, 4}
	text := attribute("value_string", onnxpb.AttributeProto_STRING)
	text.S = []byte("hi")
	sparse := attribute("sparse_value", onnxpb.AttributeProto_SPARSE_TENSOR)
	sparse.SparseTensor = &onnxpb.SparseTensorProto{Values: floats("inner", []int64{1}, 9), Indices: integers("", 1), Dims: []int64{2}}
	for _, test := range []struct {
		attr  *onnxpb.AttributeProto
		shape []int
		f     []float32
		i     []int64
	}{
		{tensorAttr("value", floats("inner", []int64{1, 2}, 5, 6)), []int{1, 2}, []float32{5, 6}, nil},
		{one, nil, []float32{2.5}, nil},
		{many, []int{2}, []float32{1, 2}, nil},
		{intAttr("value_int", 7), nil, nil, []int64{7}},
		{intAttr("value_int", 0), nil, nil, []int64{0}},
		{ints, []int{2}, nil, []int64{3, 4}},
		{text, nil, nil, nil},
		{sparse, []int{2}, []float32{0, 9}, nil},
	} {
		name := test.attr.GetName()
		m := sample()
		m.Graph.Node = append([]*onnxpb.NodeProto{with(apply("Constant", "→", "k"), test.attr)}, m.Graph.Node...)
		m.Graph.Node[2].Input[1] = "k"
		got := parse(t, m)
		k := got.Tensors["k"]
		if k == nil {
			t.Errorf("%s: got no tensor k", name)
			continue
		}
		if k.Name != "k" || !slices.Equal(k.Shape, test.shape) || !slices.Equal(k.F, test.f) || !slices.Equal(k.I, test.i) {
			t.Errorf("%s: got %+v, want shape %v and %v %v", name, *k, test.shape, test.f, test.i)
		}
		if want := (Origin{Node: 0, Attr: name, Sparse: name == "sparse_value"}); k.At != want {
			t.Errorf("%s: got origin %+v, want %+v", name, k.At, want)
		}
		if len(got.Nodes) != 3 {
			t.Errorf("%s: got %d nodes, want the 3 that are no Constant", name, len(got.Nodes))
		}
	}
}
