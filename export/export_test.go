package export

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
	"finetune/onnxload"
)

func TestEveryForm(t *testing.T) {
	packed := marshal(t, everyForm(t))
	for name, file := range map[string][]byte{
		"packed":   packed,
		"unpacked": unpack(t, unpack(t, packed, 1, tensorFloats), 3, tensorInt32s),
	} {
		t.Run(name, func(t *testing.T) {
			m := save(t, file)
			if got, want := len(m.Params), 12; got != want {
				t.Fatalf("got %d parameters, want %d: %v", got, want, paramNames(m))
			}
			path := filepath.Join(t.TempDir(), "out.onnx")

			r := write(t, path, m, Options{})
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, file) {
				t.Error("an unchanged model was not written as it was")
			}
			if !slices.Equal(r.Files, []string{path}) {
				t.Errorf("got files %v, want only %s", r.Files, path)
			}
			if v := verified(t, m, path); v.Changed != 0 || v.Identical != int64(len(file))-ourBytes(t, file) {
				t.Errorf("got %+v, want nothing changed", v)
			}

			train(m)
			r = write(t, path, m, Options{Overwrite: true})
			v := verified(t, m, path)
			if v.Params != 12 || v.Changed != 12 {
				t.Errorf("got %+v, want 12 parameters changed", v)
			}
			for _, p := range r.Params {
				if p.Changed != p.Elements {
					t.Errorf("parameter %q: got %d of %d elements changed, want all", p.Name, p.Changed, p.Elements)
				}
			}
			again := open(t, path)
			for i, p := range m.Params {
				f, _ := formatNamed(p.DType)
				for k, v := range p.Value {
					if got, want := again.Params[i].Value[k], f.round(v); got != want {
						t.Errorf("parameter %q[%d]: got %v, want %v", p.Name, k, got, want)
					}
				}
			}
			sameBesides(t, m.Proto, again.Proto)
		})
	}
}

// ourBytes counts what Verify leaves out of an unchanged file.
func ourBytes(t *testing.T, file []byte) int64 {
	t.Helper()
	root, err := readModel(file)
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, m := range ourMetadata(file, root) {
		n += int64(m.end - m.tag)
	}
	return n
}

// sameBesides compares two files, read by the generated bindings, that may
// differ in the numbers of tensors and Constant nodes, but not in which field
// they are in nor in how many there are.
func sameBesides(t *testing.T, a, b *onnxpb.ModelProto) {
	t.Helper()
	blank := func(m *onnxpb.ModelProto) *onnxpb.ModelProto {
		m = proto.CloneOf(m)
		tensor := func(p *onnxpb.TensorProto) {
			if p != nil {
				clear(p.RawData)
				clear(p.FloatData)
				clear(p.DoubleData)
				clear(p.Int32Data)
			}
		}
		for _, p := range m.Graph.Initializer {
			tensor(p)
		}
		for _, n := range m.Graph.Node {
			if n.GetOpType() != "Constant" && !strings.HasPrefix(n.GetOpType(), "Linear") {
				continue
			}
			for _, a := range n.Attribute {
				tensor(a.T)
				clear(a.Floats)
				a.F = nil
			}
		}
		return m
	}
	if a, b := blank(a), blank(b); !proto.Equal(a, b) {
		t.Errorf("more than parameters differs:\ngot  %v\nwant %v", b, a)
	}
}

func TestMetadata(t *testing.T) {
	file := marshal(t, everyForm(t))
	m := save(t, file)
	path := filepath.Join(t.TempDir(), "out.onnx")
	write(t, path, m, Options{Metadata: map[string]string{"seed": "7", "base": "abc", "odd": "\xff"}})
	verified(t, m, path)
	again := open(t, path)
	var got []string
	for _, e := range again.Proto.MetadataProps {
		got = append(got, e.GetKey()+"="+e.GetValue())
	}
	if want := []string{"author=somebody", "licence=none", "finetune.base=abc", "finetune.odd=\uFFFD", "finetune.seed=7"}; !slices.Equal(got, want) {
		t.Errorf("got metadata %q, want %q", got, want)
	}

	// Written again without ours, it is the first file without ours.
	second := filepath.Join(t.TempDir(), "second.onnx")
	write(t, second, again, Options{Metadata: map[string]string{}})
	want := everyForm(t)
	want.MetadataProps = slices.Delete(want.MetadataProps, 1, 2)
	if got, err := os.ReadFile(second); err != nil || !bytes.Equal(got, marshal(t, want)) {
		t.Errorf("got another file than the first without our metadata (error %v)", err)
	}
}

func TestReport(t *testing.T) {
	m := save(t, marshal(t, everyForm(t)))
	for _, p := range m.Params {
		if len(p.Value) == 3 {
			p.Value[1] = 0
		}
		if p.Name == "f16 raw" {
			p.Value[2] = 1e-9 // rounds to zero
		}
	}
	path := filepath.Join(t.TempDir(), "out.onnx")
	r := write(t, path, m, Options{})
	verified(t, m, path)
	zeros := map[string]int{}
	for _, p := range r.Params {
		zeros[p.Name] = p.Zeros
	}
	for name, want := range map[string]int{"raw": 1, "f16 raw": 2, "f16 typed": 2, "a": 1, "c": 0, "zero": 1} {
		if zeros[name] != want {
			t.Errorf("parameter %q: got %d zeros, want %d", name, zeros[name], want)
		}
	}
	size, err := Measure(r.Files...)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if size.Plain != info.Size() || size.Gzip <= 0 || size.Gzip >= size.Plain {
		t.Errorf("got sizes %+v of a file of %d bytes", size, info.Size())
	}
}

// Whatever bit is flipped in the output, Verify notices, unless it is in our
// own metadata.
func TestVerifyNoticesEveryBit(t *testing.T) {
	m := save(t, marshal(t, everyForm(t)))
	train(m)
	path := filepath.Join(t.TempDir(), "out.onnx")
	write(t, path, m, Options{Metadata: map[string]string{"seed": "7"}})
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root, err := readModel(file)
	if err != nil {
		t.Fatal(err)
	}
	ours := ourMetadata(file, root)[0]
	in := newSources("")
	if _, err := compareModel(m, file, in); err != nil {
		t.Fatal(err)
	}
	for i := range file {
		if i >= ours.tag && i < ours.end {
			continue
		}
		for bit := range 8 {
			file[i] ^= 1 << bit
			if _, err := compareModel(m, file, in); err == nil {
				t.Errorf("byte %d bit %d is flipped: got no error", i, bit)
			}
			file[i] ^= 1 << bit
		}
	}
}

func TestVerifyFile(t *testing.T) {
	m := save(t, marshal(t, everyForm(t)))
	path := filepath.Join(t.TempDir(), "out.onnx")
	write(t, path, m, Options{})
	m.Params[0].Value[0]++
	if _, err := Verify(m, path); err == nil || !strings.Contains(err.Error(), `parameter "raw" differs`) {
		t.Errorf("got error %v, want one about the parameter", err)
	}
	if _, err := Verify(m, path+".no"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v, want %v", err, fs.ErrNotExist)
	}
}

func TestWriteErrors(t *testing.T) {
	m := save(t, marshal(t, everyForm(t)))
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.onnx")
	if err := os.WriteFile(taken, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, c := range []struct {
		path  string
		opt   Options
		spoil func(m *onnxload.Model)
		want  string
	}{
		{taken, Options{}, nil, "file already exists"},
		{folder, Options{Overwrite: true}, nil, "is a folder"},
		{socket, Options{Overwrite: true}, nil, "is no regular file"},
		{filepath.Join(dir, "no", "out.onnx"), Options{}, nil, "no such file or directory"},
		{taken, Options{Overwrite: true}, func(m *onnxload.Model) { m.Params[2].Value[1] = 1e6 }, `parameter "f16 raw": element 1 is 1e+06, too large for float16`},
		{taken, Options{Overwrite: true}, func(m *onnxload.Model) { m.Params[0].Value = m.Params[0].Value[:2] }, `parameter "raw": it has 2 elements, the file holds 12 bytes`},
	} {
		m := open(t, m.Path)
		if c.spoil != nil {
			c.spoil(m)
		}
		_, err := Write(c.path, m, c.opt)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("got error %v, want one with %q and the path", err, c.want)
		}
	}
	if got := list(t, dir); !slices.Equal(got, []string{"folder", "socket", "taken.onnx"}) {
		t.Errorf("got files %v after failures, want only those of before", got)
	}
	if got, err := os.ReadFile(taken); err != nil || string(got) != "mine" {
		t.Errorf("got %q, error %v, want the file as it was", got, err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
