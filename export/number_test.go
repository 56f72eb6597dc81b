package export

import (
	"math"
	"strings"
	"testing"

	"finetune/internal/onnxpb"
)

// Every 16-bit number comes back as it was, and a float32 half way between two
// goes to the one with an even last bit, a little to either side to the nearer.
func TestSixteenBits(t *testing.T) {
	for _, typ := range []onnxpb.TensorProto_DataType{onnxpb.TensorProto_FLOAT16, onnxpb.TensorProto_BFLOAT16} {
		f := formats[typ]
		load := func(bits int) float32 { return f.load([]byte{byte(bits), byte(bits >> 8)}) }
		store := func(v float32) int {
			var b [2]byte
			f.store(b[:], v)
			return int(b[0]) | int(b[1])<<8
		}
		for bits := range 1 << 16 {
			v := load(bits)
			if v != v {
				if w := f.round(v); w == w {
					t.Fatalf("%s: NaN %#x became %v", f.name, bits, w)
				}
				continue
			}
			if got := store(v); got != bits {
				t.Fatalf("%s: got %#x, want %#x", f.name, got, bits)
			}
			next := load(bits + 1)
			if bits&0x7fff == 0x7fff || math.IsInf(float64(v), 0) || math.IsInf(float64(next), 0) || next != next {
				continue
			}
			mid := float32((float64(v) + float64(next)) / 2)
			even := bits + bits&1
			below, above := math.Nextafter32(mid, v), math.Nextafter32(mid, next)
			if got := store(mid); got != even {
				t.Fatalf("%s: %v between %#x and its successor: got %#x, want %#x", f.name, mid, bits, got, even)
			}
			if got := store(below); got != bits {
				t.Fatalf("%s: %v: got %#x, want %#x", f.name, below, got, bits)
			}
			if got := store(above); got != bits+1 {
				t.Fatalf("%s: %v: got %#x, want %#x", f.name, above, got, bits+1)
			}
		}
	}
}

func TestReplace(t *testing.T) {
	// 0.1 as float64 is not a float32: unchanged it must keep its digits.
	f := formats[onnxpb.TensorProto_DOUBLE]
	b := le.AppendUint64(nil, math.Float64bits(0.1))
	b = le.AppendUint64(b, math.Float64bits(0.2))
	n, err := f.replace(b, []float32{0.1, 0.25})
	if err != nil || n != 1 {
		t.Fatalf("got %d changes, error %v, want 1 and none", n, err)
	}
	if got := math.Float64frombits(le.Uint64(b)); got != 0.1 {
		t.Errorf("got %v, want 0.1", got)
	}
	if got := math.Float64frombits(le.Uint64(b[8:])); got != 0.25 {
		t.Errorf("got %v, want 0.25", got)
	}

	f = formats[onnxpb.TensorProto_FLOAT16]
	_, err = f.replace(make([]byte, 4), []float32{1, 70000})
	if err == nil || !strings.Contains(err.Error(), "element 1 is 70000, too large for float16") {
		t.Errorf("got error %v, want one about 70000", err)
	}
}
