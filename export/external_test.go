package export

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
	"finetune/onnxload"
)

// external saves a model with parameters "a" and "b" in the file one.bin, with
// other bytes before, between and behind them, and "c" in sub/two.bin.
func external(t *testing.T) *onnxload.Model {
	t.Helper()
	dir := t.TempDir()
	outside := func(name, location string, offset int) *onnxpb.TensorProto {
		where := onnxpb.TensorProto_EXTERNAL
		entry := func(k, v string) *onnxpb.StringStringEntryProto {
			return &onnxpb.StringStringEntryProto{Key: &k, Value: &v}
		}
		return &onnxpb.TensorProto{Name: &name, Dims: []int64{3}, DataType: proto.Int32(1), DataLocation: &where,
			ExternalData: []*onnxpb.StringStringEntryProto{entry("location", location), entry("offset", strconv.Itoa(offset)), entry("length", "12")}}
	}
	var nodes []*onnxpb.NodeProto
	last := "x"
	for _, name := range []string{"a", "b", "c"} {
		nodes = append(nodes, &onnxpb.NodeProto{OpType: proto.String("Add"), Input: []string{last, name}, Output: []string{"+" + name}})
		last = "+" + name
	}
	m := model(nodes, []*onnxpb.TensorProto{outside("a", "one.bin", 4), outside("b", "one.bin", 20), outside("c", `sub\two.bin`, 0)}, last)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	one := slices.Concat([]byte("head"), store(1, 1, 2, 3), []byte("----"), store(1, 4, 5, 6), []byte("tail"))
	for name, b := range map[string][]byte{"model.onnx": marshal(t, m), "one.bin": one, "sub/two.bin": store(1, 7, 8, 9)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, filepath.Join(dir, "model.onnx"))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// In the input's folder only what has changed is written, under a new name.
func TestExternalSameFolder(t *testing.T) {
	m := external(t)
	dir := filepath.Dir(m.Path)
	before := read(t, filepath.Join(dir, "one.bin"))
	m.Params[1].Value[0] = 0 // b
	path := filepath.Join(dir, "out.onnx")
	r := write(t, path, m, Options{})
	data := path + ".data"
	if want := []string{path, data}; !slices.Equal(r.Files, want) {
		t.Errorf("got files %v, want %v", r.Files, want)
	}
	v := verified(t, m, path)
	if v.Changed != 1 || v.Replaced != 12 {
		t.Errorf("got %+v, want one parameter of 12 bytes changed", v)
	}
	want := bytes.Clone(before)
	copy(want[20:], store(1, 0))
	if got := read(t, data); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
	if !bytes.Equal(read(t, filepath.Join(dir, "one.bin")), before) {
		t.Error("the input's payload file was changed")
	}
	again := open(t, path)
	for name, location := range map[string]string{"a": "out.onnx.data", "b": "out.onnx.data", "c": `sub\two.bin`} {
		if got := again.Tensors[name].At.Location; got != location {
			t.Errorf("tensor %q is in %q, want %q", name, got, location)
		}
	}

	// Both change: two files. Without leave the old ones stay.
	train(m)
	if _, err := Write(path, m, Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got error %v, want %v", err, fs.ErrExist)
	}
	r = write(t, path, m, Options{Overwrite: true})
	if want := []string{path, data, data + "2"}; !slices.Equal(r.Files, want) {
		t.Errorf("got files %v, want %v", r.Files, want)
	}
	verified(t, m, path)

	// The output replaces the input itself, whose payloads stay.
	again = open(t, path)
	train(again)
	r = write(t, path, again, Options{Overwrite: true})
	if want := []string{path, data + "3", data + "4"}; !slices.Equal(r.Files, want) {
		t.Errorf("got files %v, want %v", r.Files, want)
	}
	for i, p := range open(t, path).Params {
		if !slices.Equal(p.Value, again.Params[i].Value) {
			t.Errorf("parameter %q: got %v, want %v", p.Name, p.Value, again.Params[i].Value)
		}
	}
}

// Nothing changed: the model refers to the files that are there.
func TestExternalUnchanged(t *testing.T) {
	m := external(t)
	path := filepath.Join(filepath.Dir(m.Path), "out.onnx")
	if r := write(t, path, m, Options{}); len(r.Files) != 1 {
		t.Errorf("got files %v, want one", r.Files)
	}
	if !bytes.Equal(read(t, path), m.Bytes) {
		t.Error("an unchanged model was not written as it was")
	}
	verified(t, m, path)
}

// In another folder the output brings all files along, under their names.
func TestExternalOtherFolder(t *testing.T) {
	m := external(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "out.onnx")
	m.Params[2].Value[1] = -1 // c
	write(t, path, m, Options{})
	verified(t, m, path)
	if !bytes.Equal(read(t, path), m.Bytes) {
		t.Error("the model was changed, though only payload files had to be")
	}
	if got, want := read(t, filepath.Join(dir, "sub", "two.bin")), store(1, 7, -1, 9); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
	if got, want := read(t, filepath.Join(dir, "one.bin")), read(t, filepath.Join(filepath.Dir(m.Path), "one.bin")); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}

	// A payload file that is not the right one is noticed, be it one byte.
	for _, name := range []string{"one.bin", "sub/two.bin"} {
		file := filepath.Join(dir, name)
		b := read(t, file)
		for i := range b {
			b[i] ^= 1
			if err := os.WriteFile(file, b, 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(m, path); err == nil {
				t.Errorf("%s: byte %d is changed: got no error", name, i)
			}
			b[i] ^= 1
		}
		if err := os.WriteFile(file, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	verified(t, m, path)
}

// A failure leaves nothing behind, payload files included.
func TestExternalFailure(t *testing.T) {
	m := external(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "out.onnx", "in the way"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(filepath.Join(dir, "out.onnx"), m, Options{Overwrite: true}); err == nil {
		t.Fatal("got no error for a folder in the way")
	}
	if got, want := list(t, dir), []string{"out.onnx", "sub"}; !slices.Equal(got, want) {
		t.Errorf("got files %v, want %v", got, want)
	}

	if err := os.Remove(filepath.Join(filepath.Dir(m.Path), "one.bin")); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(filepath.Join(t.TempDir(), "out.onnx"), m, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v, want %v", err, fs.ErrNotExist)
	}
}
