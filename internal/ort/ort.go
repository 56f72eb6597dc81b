//go:build ort

package ort

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/x448/float16"
	rt "github.com/yalue/onnxruntime_go"
)

// Tensor is an input or an output: F for floating-point types, I for integers
// and bool (0 or 1). They are converted from and to the types of the model.
type Tensor struct {
	Shape []int
	F     []float32
	I     []int64
}

var start = sync.OnceValue(func() error {
	rt.SetSharedLibraryPath(os.Getenv("ONNXRUNTIME_LIB"))
	return rt.InitializeEnvironment(rt.WithLogLevelError())
})

// Require starts ONNX Runtime. It skips the test, with a notice, where
// ONNXRUNTIME_LIB is not set.
func Require(tb testing.TB) {
	tb.Helper()
	if os.Getenv("ONNXRUNTIME_LIB") == "" {
		tb.Skip("no ONNX Runtime (set ONNXRUNTIME_LIB to its shared library)")
	}
	if err := start(); err != nil {
		tb.Fatalf("ONNX Runtime: %v", err)
	}
}

// Run computes the outputs of the model in a file that are tensors, by name. Every input of the
// model has to be given; inputs that it does not have are left out. Require must
// have been called.
func Run(path string, inputs map[string]Tensor) (outputs map[string]Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: ONNX Runtime's binding: %v", path, r)
		} else if err != nil {
			err = fmt.Errorf("%s: ONNX Runtime: %w", path, err)
		}
	}()
	ins, outs, err := rt.GetInputOutputInfo(path)
	if err != nil {
		return nil, err
	}
	outs = slices.DeleteFunc(outs, func(out rt.InputOutputInfo) bool { return out.OrtValueType != rt.ONNXTypeTensor })
	var values, results []rt.Value
	defer func() {
		for _, v := range append(values, results...) {
			if v != nil {
				v.Destroy()
			}
		}
	}()
	for _, in := range ins {
		t, ok := inputs[in.Name]
		if !ok {
			return nil, fmt.Errorf("input %q is missing", in.Name)
		}
		v, err := t.value(in.DataType)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", in.Name, err)
		}
		values = append(values, v)
	}
	for _, out := range outs {
		v, err := empty(out)
		if err != nil {
			return nil, err
		}
		results = append(results, v)
	}

	options, err := rt.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	if err := options.SetIntraOpNumThreads(1); err != nil {
		return nil, err
	}
	session, err := rt.NewDynamicAdvancedSession(path, names(ins), names(outs), options)
	if err != nil {
		return nil, err
	}
	defer session.Destroy()
	if err := session.Run(values, results); err != nil {
		return nil, err
	}
	outputs = map[string]Tensor{}
	for i, out := range outs {
		t, err := tensor(results[i])
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", out.Name, err)
		}
		outputs[out.Name] = t
	}
	return outputs, nil
}

func names(infos []rt.InputOutputInfo) []string {
	var s []string
	for _, i := range infos {
		s = append(s, i.Name)
	}
	return s
}

// value is t as a tensor of a type.
func (t Tensor) value(typ rt.TensorElementDataType) (rt.Value, error) {
	shape := make(rt.Shape, len(t.Shape))
	for i, d := range t.Shape {
		shape[i] = int64(d)
	}
	switch {
	case len(shape) > 0:
	case typ == rt.TensorElementDataTypeFloat:
		return rt.NewScalar(t.F[0])
	case typ == rt.TensorElementDataTypeInt64:
		return rt.NewScalar(t.I[0])
	}
	switch typ {
	case rt.TensorElementDataTypeFloat:
		return rt.NewTensor(shape, t.F)
	case rt.TensorElementDataTypeDouble:
		return rt.NewTensor(shape, convert[float64](t.F))
	case rt.TensorElementDataTypeFloat16:
		var b []byte
		for _, v := range t.F {
			b = binary.LittleEndian.AppendUint16(b, float16.Fromfloat32(v).Bits())
		}
		return rt.NewCustomDataTensor(shape, b, typ)
	case rt.TensorElementDataTypeInt64:
		return rt.NewTensor(shape, t.I)
	case rt.TensorElementDataTypeInt32:
		return rt.NewTensor(shape, convert[int32](t.I))
	case rt.TensorElementDataTypeInt16:
		return rt.NewTensor(shape, convert[int16](t.I))
	case rt.TensorElementDataTypeInt8:
		return rt.NewTensor(shape, convert[int8](t.I))
	case rt.TensorElementDataTypeUint8:
		return rt.NewTensor(shape, convert[uint8](t.I))
	case rt.TensorElementDataTypeBool:
		b := make([]bool, len(t.I))
		for i, v := range t.I {
			b[i] = v != 0
		}
		return rt.NewTensor(shape, b)
	}
	return nil, fmt.Errorf("type %s is not supported here", typ)
}

// empty is room for an output, nil where ONNX Runtime makes it. It cannot for
// 16-bit floats through this binding, which takes them for bytes.
func empty(out rt.InputOutputInfo) (rt.Value, error) {
	if out.DataType != rt.TensorElementDataTypeFloat16 {
		return nil, nil
	}
	for _, d := range out.Dimensions {
		if d <= 0 {
			return nil, fmt.Errorf("output %q is float16 of open shape %v", out.Name, out.Dimensions)
		}
	}
	return rt.NewCustomDataTensor(out.Dimensions, make([]byte, 2*out.Dimensions.FlattenedSize()), out.DataType)
}

// tensor is a result as a Tensor.
func tensor(v rt.Value) (Tensor, error) {
	var t Tensor
	for _, d := range v.GetShape() {
		t.Shape = append(t.Shape, int(d))
	}
	switch v := v.(type) {
	case *rt.Tensor[float32]:
		t.F = convert[float32](v.GetData())
	case *rt.Tensor[float64]:
		t.F = convert[float32](v.GetData())
	case *rt.Tensor[int64]:
		t.I = convert[int64](v.GetData())
	case *rt.Tensor[int32]:
		t.I = convert[int64](v.GetData())
	case *rt.Tensor[int16]:
		t.I = convert[int64](v.GetData())
	case *rt.Tensor[int8]:
		t.I = convert[int64](v.GetData())
	case *rt.Tensor[uint8]:
		t.I = convert[int64](v.GetData())
	case *rt.Tensor[bool]:
		for _, b := range v.GetData() {
			t.I = append(t.I, int64(map[bool]int{true: 1}[b]))
		}
	case *rt.CustomDataTensor:
		for b := v.GetData(); len(b) > 0; b = b[2:] {
			t.F = append(t.F, float16.Frombits(binary.LittleEndian.Uint16(b)).Float32())
		}
	default:
		return t, fmt.Errorf("%T is not supported here", v)
	}
	return t, nil
}

type number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~float32 | ~float64
}

func convert[To, From number](from []From) []To {
	to := make([]To, len(from))
	for i, v := range from {
		to[i] = To(v)
	}
	return to
}

// Difference is the largest |got - want| of all elements, as an absolute
// difference for values up to 1 and relative to |want| above. It is +Inf where
// sizes differ or only one is NaN.
func Difference(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		d := math.Abs(g-w) / max(1, math.Abs(w))
		switch {
		case g == w, g != g && w != w:
			d = 0
		case d != d:
			d = math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}
