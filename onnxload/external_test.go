package onnxload

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// outside makes a float32 tensor of n elements in external data, described by
// keys and values.
func outside(name string, n int64, entries ...string) *onnxpb.TensorProto {
	t := &onnxpb.TensorProto{
		Name: proto.String(name), DataType: proto.Int32(1), Dims: []int64{n},
		DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(),
	}
	for i := 0; i < len(entries); i += 2 {
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: &entries[i], Value: &entries[i+1]})
	}
	return t
}

// openWith writes the sample with another tensor for b into a folder that holds
// weights.bin (eight floats, 0 to 7) and opens it.
func openWith(t *testing.T, b *onnxpb.TensorProto) (*Model, error) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "model")
	m := sample()
	m.Graph.Initializer[1] = b
	var weights []byte
	for i := range 8 {
		weights = binary.LittleEndian.AppendUint32(weights, math.Float32bits(float32(i)))
	}
	for name, data := range map[string][]byte{
		"model/m.onnx": marshal(t, m), "model/weights.bin": weights, "model/sub/weights.bin": weights, "secret.bin": weights,
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"link.bin": "../secret.bin", "within.bin": "weights.bin", "up": ".."} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return Open(filepath.Join(dir, "m.onnx"))
}

func TestExternalData(t *testing.T) {
	for _, test := range []struct {
		name   string
		tensor *onnxpb.TensorProto
		want   []float32
		at     Origin
	}{
		{"whole", outside("b", 8, "location", "weights.bin"), []float32{0, 1, 2, 3, 4, 5, 6, 7},
			Origin{Location: "weights.bin", Length: 32}},
		{"offset", outside("b", 3, "location", "weights.bin", "offset", "8", "length", "12"), []float32{2, 3, 4},
			Origin{Location: "weights.bin", Offset: 8, Length: 12}},
		{"folder", outside("b", 1, "location", "./sub/weights.bin", "offset", "28"), []float32{7},
			Origin{Location: "./sub/weights.bin", Offset: 28, Length: 4}},
		{"backslash", outside("b", 1, "location", `sub\weights.bin`), []float32{0}, Origin{Location: `sub\weights.bin`, Length: 4}},
		{"link to the same folder", outside("b", 1, "location", "within.bin"), []float32{0}, Origin{Location: "within.bin", Length: 4}},
		{"nothing", outside("b", 0, "location", "weights.bin", "offset", "32"), []float32{},
			Origin{Location: "weights.bin", Offset: 32}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := openWith(t, test.tensor)
			if err != nil {
				t.Fatal(err)
			}
			got := m.Tensors["b"]
			if !slices.Equal(got.F, test.want) {
				t.Errorf("got %v, want %v", got.F, test.want)
			}
			test.at.Node, test.at.Index, test.at.External = -1, 1, true
			if got.At != test.at {
				t.Errorf("got origin %+v, want %+v", got.At, test.at)
			}
		})
	}
}

func TestBadExternalData(t *testing.T) {
	both := outside("b", 3, "location", "weights.bin")
	both.RawData = make([]byte, 12)
	for _, test := range []struct {
		name   string
		tensor *onnxpb.TensorProto
		want   string
	}{
		{"missing", outside("b", 3, "location", "gone.bin"), `initializer "b": external data file "gone.bin" is not in the folder`},
		{"no location", outside("b", 3), "has no location"},
		{"absolute", outside("b", 3, "location", "/etc/passwd"), `"/etc/passwd" is an absolute path`},
		{"drive", outside("b", 3, "location", `C:\weights.bin`), "is an absolute path"},
		{"share", outside("b", 3, "location", `\\host\weights.bin`), "is an absolute path"},
		{"parent", outside("b", 3, "location", "../secret.bin"), `"../secret.bin" leaves the model's folder`},
		{"hidden parent", outside("b", 3, "location", "sub/../../secret.bin"), "leaves the model's folder"},
		{"backslash parent", outside("b", 3, "location", `..\secret.bin`), "leaves the model's folder"},
		{"link out", outside("b", 3, "location", "link.bin"), "escapes"},
		{"linked folder", outside("b", 3, "location", "up/secret.bin"), "escapes"},
		{"a folder", outside("b", 3, "location", "sub"), "not a regular file"},
		{"the folder itself", outside("b", 3, "location", "."), "is not the name of a file"},
		{"too long", outside("b", 9, "location", "weights.bin"), `"weights.bin" has 32 bytes, too few for 36 at offset 0`},
		{"past the end", outside("b", 3, "location", "weights.bin", "offset", "24"), "too few for 12 at offset 24"},
		{"huge offset", outside("b", 3, "location", "weights.bin", "offset", strconv.Itoa(math.MaxInt)), "too few for 12 at offset"},
		{"negative offset", outside("b", 3, "location", "weights.bin", "offset", "-4"), "negative offset -4"},
		{"offset in words", outside("b", 3, "location", "weights.bin", "offset", "four"), `offset of the external data is "four"`},
		{"other length", outside("b", 3, "location", "weights.bin", "length", "16"), "3 elements of float32 take 12 bytes, the external data has 16"},
		{"huge claim", outside("b", 1<<50, "location", "weights.bin"), "too few for 4503599627370496 at offset 0"},
		{"two payloads", both, "the payload is there twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := openWith(t, test.tensor)
			f, ok := errors.AsType[*FormatError](err)
			if !ok {
				t.Fatalf("got error %v, want a FormatError", err)
			}
			if f.Where != `initializer "b"` || !strings.HasSuffix(f.Path, "m.onnx") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %q, want it to name the file and the initializer and to say %q", err, test.want)
			}
		})
	}
}

// A small file must not be read over and over.
func TestOverlappingExternalData(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "w"), make([]byte, 1<<18), 0o666); err != nil {
		t.Fatal(err)
	}
	m := sample()
	for i := range 20 {
		m.Graph.Initializer = append(m.Graph.Initializer, outside("t"+strconv.Itoa(i), 1<<16, "location", "w"))
	}
	_, err := Parse(marshal(t, m), dir)
	if err == nil || !strings.Contains(err.Error(), "overlap many times over") {
		t.Errorf("got error %v, want one about overlapping tensors", err)
	}
}
