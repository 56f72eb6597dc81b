package onnxload

import (
	"archive/zip"
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// Every file that is wrong must be refused by an error that names the culprit.
func TestBadModels(t *testing.T) {
	type model = onnxpb.ModelProto
	tests := []struct {
		name  string
		spoil func(*model)
		want  string
	}{
		{"no graph", func(m *model) { m.Graph = nil }, "holds no graph"},
		{"no nodes", func(m *model) { m.Graph.Node = nil }, "the graph has no nodes"},
		{"no outputs", func(m *model) { m.Graph.Output = nil }, "the graph has no outputs"},
		{"unnamed input", func(m *model) { m.Graph.Input[0].Name = nil }, "input 0 has no name"},
		{"unnamed initializer", func(m *model) { m.Graph.Initializer[1].Name = nil }, "initializer 1 has no name"},
		{"no operator", func(m *model) { m.Graph.Node[1].OpType = nil }, `node "fc.add" (): has no operator`},
		{"no operator in a subgraph", func(m *model) {
			with(m.Graph.Node[1], graphAttr("body", &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{named("n", &onnxpb.NodeProto{})}}))
		}, `node "fc.add" (Add): node "n" (): has no operator`},
		{"input twice", func(m *model) { m.Graph.Input = append(m.Graph.Input, m.Graph.Input[0]) },
			`an input: defines "x", which an input defines already`},
		{"initializer twice", func(m *model) { m.Graph.Initializer[1].Name = proto.String("w") },
			`initializer "w": defines "w", which initializer "w" defines already`},
		{"output twice", func(m *model) { m.Graph.Node[1].Output[0] = "h" },
			`node "fc.add" (Add): defines "h", which node "fc" (MatMul) defines already`},
		{"output hides an input", func(m *model) { m.Graph.Node[1].Output[0] = "x" },
			`node "fc.add" (Add): defines "x", which an input defines already`},
		{"missing input", func(m *model) { m.Graph.Node[1].Input[1] = "bias" },
			`node "fc.add" (Add): input 1 is "bias", which nothing in the file defines`},
		{"missing input of an unnamed node", func(m *model) { m.Graph.Node[2].Name, m.Graph.Node[2].Input[0] = nil, "q" },
			`node "Relu_2" (Relu): input 0 is "q"`},
		{"missing output", func(m *model) { m.Graph.Output[0].Name = proto.String("z") }, `output 0 is "z", which nothing`},
		{"cycle", func(m *model) { m.Graph.Node[0].Input[0] = "a" },
			`in a cycle: node "fc" (MatMul) → node "fc.add" (Add) → node "fc" (MatMul)`},
		{"cycle of one", func(m *model) { m.Graph.Node[2].Input[0] = "y" }, `node "act" (Relu) → node "act" (Relu)`},
		{"subgraph reads nothing", func(m *model) {
			m.Graph.Node[2] = named("branch", with(apply("If", "a", "→", "y"), graphAttr("then_branch",
				&onnxpb.GraphProto{Node: []*onnxpb.NodeProto{apply("Neg", "gone", "→", "n")}, Output: []*onnxpb.ValueInfoProto{port("n")}})))
		}, `node "branch" (If): a subgraph reads "gone"`},
		{"cycle through a subgraph", func(m *model) {
			m.Graph.Node[2] = named("branch", with(apply("If", "a", "→", "y"), graphAttr("then_branch",
				&onnxpb.GraphProto{Node: []*onnxpb.NodeProto{apply("Neg", "y", "→", "n")}, Output: []*onnxpb.ValueInfoProto{port("n")}})))
		}, `node "branch" (If) → node "branch" (If)`},

		{"raw data too short", func(m *model) { m.Graph.Initializer[0].RawData = make([]byte, 23) },
			`initializer "w": shape [2 3] of float32 takes 24 bytes, the payload has 23`},
		{"raw data too long", func(m *model) { m.Graph.Initializer[1].RawData = make([]byte, 16) },
			`initializer "b": shape [3] of float32 takes 12 bytes, the payload has 16`},
		{"no payload", func(m *model) { m.Graph.Initializer[1].RawData = nil },
			`initializer "b": shape [3] of float32 takes 3 elements, there is no payload`},
		{"typed data too short", func(m *model) {
			m.Graph.Initializer[1].RawData, m.Graph.Initializer[1].FloatData = nil, []float32{1, 2}
		}, `initializer "b": shape [3] of float32 takes 3 values in float_data, there are 2`},
		{"typed data of another type", func(m *model) {
			m.Graph.Initializer[1].RawData, m.Graph.Initializer[1].Int64Data = nil, []int64{1, 2, 3}
		}, `takes 3 values in float_data, there are 0`},
		{"two payloads", func(m *model) { m.Graph.Initializer[1].FloatData = []float32{1, 2, 3} }, `initializer "b": the payload is there twice`},
		{"segment", func(m *model) { m.Graph.Initializer[1].Segment = &onnxpb.TensorProto_Segment{} }, `initializer "b": the payload is split`},
		{"negative dimension", func(m *model) { m.Graph.Initializer[1].Dims[0] = -3 }, `initializer "b": negative dimension in shape [-3]`},
		{"overflowing shape", func(m *model) { m.Graph.Initializer[0].Dims = []int64{1 << 62, 4} }, `initializer "w": shape [4611686018427387904 4] has more elements`},
		{"absurd shape", func(m *model) { m.Graph.Initializer[0].Dims = []int64{math.MaxInt64} }, `initializer "w": shape [9223372036854775807] has more elements`},
		{"large claim", func(m *model) { m.Graph.Initializer[0].Dims = []int64{1 << 40} }, `takes 4398046511104 bytes, the payload has 24`},
		{"many axes", func(m *model) { m.Graph.Initializer[0].Dims = make([]int64, 65) }, `initializer "w": 65 axes`},
		{"unknown type", func(m *model) { m.Graph.Initializer[1].DataType = proto.Int32(99) }, `initializer "b": unknown element type 99`},
		{"negative type", func(m *model) { m.Graph.Initializer[1].DataType = proto.Int32(-1) }, `initializer "b": unknown element type -1`},
		{"no type", func(m *model) { m.Graph.Initializer[1].DataType = nil }, `initializer "b": unknown element type 0`},
		{"raw strings", func(m *model) { m.Graph.Initializer[1].DataType = proto.Int32(8) }, `initializer "b": strings cannot be stored as raw_data`},
		{"external data from memory", func(m *model) {
			*m.Graph.Initializer[1] = *outside("b", 3, "location", "weights.bin")
		}, `initializer "b": the payload is in the file "weights.bin"`},

		{"sparse without values", func(m *model) {
			m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: &onnxpb.TensorProto{Name: proto.String("s")}}}
		}, `initializer "s": a sparse tensor without values or indices`},
		{"sparse index outside", func(m *model) {
			m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: floats("s", []int64{2}), Indices: integers("", 0, 6), Dims: []int64{2, 3}}}
		}, `initializer "s": sparse index 6 is outside shape [2 3]`},
		{"sparse coordinate outside", func(m *model) {
			at := integers("", 0, 3)
			at.Dims = []int64{1, 2}
			m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: floats("s", []int64{1}), Indices: at, Dims: []int64{2, 3}}}
		}, `initializer "s": sparse index 3 is outside axis 1 of shape [2 3]`},
		{"sparse indices too few", func(m *model) {
			m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: floats("s", []int64{2}), Indices: integers("", 0), Dims: []int64{2, 3}}}
		}, `initializer "s": sparse indices have shape [1], want [2] or [2 2]`},
		{"sparse bomb", func(m *model) {
			m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: floats("s", []int64{1}), Indices: integers("", 0), Dims: []int64{1 << 40}}}
		}, `initializer "s": a sparse tensor of shape [1099511627776] unfolds to`},

		{"attribute without name", func(m *model) { with(m.Graph.Node[1], intAttr("", 1)) }, `node "fc.add" (Add): attribute 0 has no name`},
		{"attribute twice", func(m *model) { with(m.Graph.Node[1], intAttr("axis", 1), intAttr("axis", 1)) },
			`node "fc.add" (Add): attribute "axis" is there twice`},
		{"attribute without tensor", func(m *model) { with(m.Graph.Node[1], tensorAttr("value", nil)) },
			`node "fc.add" (Add): attribute "value" is a tensor without a value`},
		{"attribute without graph", func(m *model) { with(m.Graph.Node[1], graphAttr("body", nil)) },
			`node "fc.add" (Add): attribute "body" is a graph without a value`},
		{"attribute with a bad tensor", func(m *model) {
			with(m.Graph.Node[1], tensorAttr("value", &onnxpb.TensorProto{DataType: proto.Int32(1), Dims: []int64{4}, RawData: []byte{1}}))
		}, `node "fc.add" (Add): attribute "value": shape [4] of float32 takes 16 bytes, the payload has 1`},
		{"constant without value", func(m *model) { m.Graph.Node = append(m.Graph.Node, named("c", apply("Constant", "→", "k"))) },
			`node "c" (Constant): has no value`},
		{"constant with two values", func(m *model) {
			m.Graph.Node = append(m.Graph.Node, named("c", with(apply("Constant", "→", "k"), intAttr("value_int", 1), tensorAttr("value", floats("", nil, 1)))))
		}, `node "c" (Constant): has two values, "value_int" and "value"`},
		{"constant with a value of another type", func(m *model) {
			m.Graph.Node = append(m.Graph.Node, named("c", with(apply("Constant", "→", "k"), intAttr("value_float", 1))))
		}, `node "c" (Constant): attribute "value_float": got type INT, want FLOAT`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := sample()
			test.spoil(m)
			wantFormatError(t, marshal(t, m), test.want)
		})
	}
}

// Files of other kinds must be recognised, and the error must say what they are.
func TestForeignFiles(t *testing.T) {
	good := marshal(t, sample())
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	if _, err := w.Create("model/data.pkl"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	tests := []struct {
		name string
		file string
		want string
	}{
		{"empty", "", "is empty"},
		{"cut off", string(good[:len(good)-9]), "is cut off: a part of"},
		{"text", "weights of my model, do not delete\n", `is a text file that begins with "weights of my model`},
		{"umlauts", "Über die Gewichte: " + strings.Repeat("ä", 300), "is a text file"},
		{"web page", "\n<!DOCTYPE html><html><body>404</body></html>", "is a web page (a download link"},
		{"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "is a Git LFS pointer, not the model itself (run `git lfs pull`"},
		{"json", `{"weights": [1, 2, 3]}`, "is a text file"},
		{"pytorch", archive.String(), "is a PyTorch file (export it with torch.onnx.export)"},
		{"zip", "PK\x03\x04 something", "is a zip archive"},
		{"old pytorch", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9", "is a Python pickle"},
		{"keras", "\x89HDF\r\n\x1a\n\x00", "is an HDF5 file"},
		{"gzip", "\x1f\x8b\x08\x00", "is compressed with gzip"},
		{"tflite", "\x1c\x00\x00\x00TFL3\x00", "is a TensorFlow Lite file"},
		{"ort", "\x1c\x00\x00\x00ORTM\x00", "is in ONNX Runtime's own format"},
		{"gguf", "GGUF\x03\x00\x00\x00", "is a GGUF file"},
		{"safetensors", "\x02\x00\x00\x00\x00\x00\x00\x00{}", "is a safetensors file"},
		{"npy", "\x93NUMPY\x01\x00", "is a NumPy array"},
		{"tensor", string(marshal(t, floats("x", []int64{3}))), "holds a single tensor, not a model"},
		{"zeros", strings.Repeat("\x00", 64), "not an ONNX file"},
		{"noise", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5", "not an ONNX file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantFormatError(t, []byte(test.file), test.want) })
	}
}

// A model may begin like anything, here like a TensorFlow Lite file.
func TestProducerThatLooksForeign(t *testing.T) {
	m := sample()
	m.ProducerName = proto.String("TFL3 converter")
	b := marshal(t, m)
	if string(b[4:8]) != "TFL3" {
		t.Fatalf("got %q at byte 4, want TFL3", b[4:8])
	}
	parse(t, m)
}

// Messages within messages without end must not exhaust the stack.
func TestDeepNesting(t *testing.T) {
	g := &onnxpb.GraphProto{}
	for range 2000 {
		g = &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{with(apply("If"), graphAttr("then_branch", g))}}
	}
	m := sample()
	m.Graph.Node = append(m.Graph.Node, g.Node...)
	wantFormatError(t, marshal(t, m), "not an ONNX file, or a damaged one")
}

func wantFormatError(t *testing.T, b []byte, want string) {
	t.Helper()
	_, err := Parse(b, "")
	if _, ok := errors.AsType[*FormatError](err); !ok {
		t.Fatalf("got error %v, want a FormatError that says %q", err, want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got error %q, want it to say %q", err, want)
	}
}

// Errors of Open begin with the path.
func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "broken.onnx")
	if err := os.WriteFile(path, []byte("nothing"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, want string }{
		{path, path + ": is a text file"},
		{dir, dir + `: is a folder (give the .onnx file in it)`},
		{filepath.Join(dir, "absent.onnx"), "absent.onnx: no such file"},
	} {
		_, err := Open(test.path)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", test.path, err, test.want)
		}
	}
}
