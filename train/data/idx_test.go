package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// idx encodes an array of the given element type.
func idx(elem byte, dims []int, values []byte) []byte {
	out := []byte{0, 0, elem, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, uint32(d))
	}
	return append(out, values...)
}

func pack(raw []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(raw)
	w.Close()
	return b.Bytes()
}

// write makes files in a folder of the test; names may hold slashes.
func write(t testing.TB, files map[string][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, raw := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// wantError checks that err says everything in want.
func wantError(t *testing.T, name string, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: got no error, want one with %q", name, want)
		return
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: got error %q, want %q in it", name, err, part)
		}
	}
}

func ramp(n int) []byte {
	values := make([]byte, n)
	for i := range values {
		values[i] = byte(i)
	}
	return values
}

func TestIdx(t *testing.T) {
	images := idx(8, []int{3, 2, 4}, ramp(24))
	labels := idx(8, []int{3}, []byte{2, 0, 1})
	for name, files := range map[string]map[string][]byte{
		"plain":  {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels},
		"packed": {"train-images-idx3-ubyte.gz": pack(images), "train-labels-idx1-ubyte.gz": pack(labels)},
		"mixed, dotted, beside others": {
			"emnist-train-images.idx3-ubyte": images, "emnist-train-labels.idx1-ubyte.gz": pack(labels), "emnist-train-images.idx3-ubyte.gz": pack(images),
			"t10k-images-idx3-ubyte": nil, "README": nil,
		},
	} {
		src, err := Open(write(t, files), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := src.Inputs()[0]
		if src.Len() != 3 || !f.Image || !f.Integer || !slices.Equal(f.Shape, []int{2, 4, 1}) || src.Target().Classes != 3 {
			t.Errorf("%s: got %d of %+v, %+v; want 3 images of 2 by 4 pixels in 3 classes", name, src.Len(), f, src.Target())
		}
		x, y := read(t, src, 1)
		if !slices.Equal(x, []float32{8, 9, 10, 11, 12, 13, 14, 15}) || y[0] != 0 {
			t.Errorf("%s: got %v, label %v; want 8…15, label 0", name, x, y)
		}
	}
}

func TestIdxTypes(t *testing.T) {
	for _, c := range []struct {
		elem byte
		raw  string
		want []float32
	}{
		{0x09, "\xff\x02", []float32{-1, 2}},
		{0x0b, "\xff\xfe\x01\x00", []float32{-2, 256}},
		{0x0c, "\xff\xff\xff\xfd\x00\x01\x00\x00", []float32{-3, 65536}},
		{0x0d, "\x3f\x80\x00\x00\xc0\x20\x00\x00", []float32{1, -2.5}},
		{0x0e, "\x3f\xf8\x00\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x00", []float32{1.5, -2}},
	} {
		dir := write(t, map[string][]byte{"x": idx(c.elem, []int{1, 2}, []byte(c.raw)), "y": idx(8, []int{1}, []byte{0})})
		src, err := Open(filepath.Join(dir, "x"), Options{Labels: filepath.Join(dir, "y")})
		if err != nil {
			t.Errorf("type 0x%02x: %v", c.elem, err)
			continue
		}
		if x, _ := read(t, src, 0); !slices.Equal(x, c.want) {
			t.Errorf("type 0x%02x: got %v, want %v", c.elem, x, c.want)
		}
	}
}

func TestIdxBad(t *testing.T) {
	images := idx(8, []int{3, 2, 4}, ramp(24))
	labels := idx(8, []int{3}, []byte{2, 0, 1})
	x, y := "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	for _, c := range []struct {
		name   string
		images []byte
		labels []byte
		want   []string
	}{
		{"empty", nil, labels, []string{x, "end of the file"}},
		{"cut header", images[:6], labels, []string{x, "header of 16 bytes", "end of the file"}},
		{"cut values", images[:30], labels, []string{x, "expected 24 bytes of values, found 14"}},
		{"cut packed", pack(images)[:40], labels, []string{x, "expected"}},
		{"packed, fewer values", pack(images[:30]), labels, []string{x, "expected 24 bytes of values, found 14"}},
		{"more values", append(slices.Clone(images), 1), labels, []string{x, "expected 24 bytes of values, found more"}},
		{"magic", append([]byte{0, 0, 7, 3}, images[4:]...), labels, []string{x, "magic number", "0x00000703"}},
		{"text", []byte("hello"), labels, []string{x, "magic number", "0x68656c6c"}},
		{"huge", idx(8, []int{1 << 30, 1 << 30, 1 << 30}, nil), labels, []string{x, "no more than 16 bytes"}},
		{"huge packed", pack(idx(8, []int{1 << 30, 1 << 10, 1 << 10}, nil)), labels, []string{x, "expected a larger file"}},
		{"overflow", idx(8, []int{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, nil), labels, []string{x, "expected a larger file"}},
		{"no records", idx(8, []int{0, 2, 4}, nil), idx(8, []int{0}, nil), []string{x, "[0 2 4]"}},
		{"no values", idx(8, []int{3, 0, 4}, nil), labels, []string{x, "[3 0 4]"}},
		{"counts", images, idx(8, []int{2}, []byte{1, 2}), []string{y, "expected 3 labels", "found 2"}},
		{"no labels", images, nil, []string{y, "end of the file"}},
		{"NaN", idx(0x0d, []int{3, 2}, append(make([]byte, 12), "\x00\x00\x00\x00\x7f\xc0\x00\x00\x00\x00\x00\x00"...)), labels, []string{x, "record 2, value 0", "NaN"}},
	} {
		_, err := Open(write(t, map[string][]byte{x: c.images, y: c.labels}), Options{})
		wantError(t, c.name, err, c.want...)
	}

	dir := write(t, map[string][]byte{x: images})
	_, err := Open(dir, Options{})
	wantError(t, "labels missing", err, x, y, "no such file")
	_, err = Open(dir, Options{Split: "test"})
	wantError(t, "half missing", err, dir, "test")
	if !errors.Is(err, ErrNoSplit) {
		t.Errorf("got %v, want ErrNoSplit", err)
	}
}

func FuzzIdx(f *testing.F) {
	f.Add(idx(8, []int{3, 2, 4}, ramp(24)))
	f.Add(idx(0x0e, []int{1, 2}, ramp(16)))
	f.Add(idx(8, []int{0xffffffff, 0xffffffff, 0xffffffff}, nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := decodeIdx("x", bytes.NewReader(raw), int64(len(raw)))
		checkArray(t, a, err, raw)
	})
}

// checkArray holds what was made of any bytes against them.
func checkArray(t *testing.T, a *array, err error, raw []byte) {
	if err != nil {
		return
	}
	if len(a.raw) > len(raw) || len(a.raw) != product(a.shape)*a.elem.size {
		t.Fatalf("got %d bytes for shape %v out of %d bytes", len(a.raw), a.shape, len(raw))
	}
	if _, err := a.check(); err != nil {
		return
	}
	dst := make([]float32, a.size())
	for i := range a.len() {
		a.read(i, dst)
	}
}
