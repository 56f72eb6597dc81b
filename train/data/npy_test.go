package data

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npy"
)

// npyBytes is an array with any header, in the way that NumPy writes it.
func npyBytes(descr string, fortran bool, shape string, values []byte) []byte {
	order := "False"
	if fortran {
		order = "True"
	}
	return npyText(fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, order, shape), values)
}

func npyText(dict string, values []byte) []byte {
	dict += strings.Repeat(" ", 63-(10+len(dict))%64) + "\n"
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(dict)), byte(len(dict)>>8))
	return append(append(out, dict...), values...)
}

// npyOf is a vector in the bytes of npyio's own writer.
func npyOf(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := npy.Write(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func npzOf(t testing.TB, method uint16, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, raw := range files {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(raw)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNpyTypes(t *testing.T) {
	bytesOf := func(values any) []byte {
		raw, err := binary.Append(nil, binary.LittleEndian, values)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, c := range []struct {
		descr string
		raw   []byte
		want  []float32
		whole bool
	}{
		{"|b1", []byte{0, 1, 2, 0}, []float32{0, 1, 1, 0}, true},
		{"|u1", []byte{0, 1, 255, 4}, []float32{0, 1, 255, 4}, true},
		{"|i1", []byte{0, 1, 255, 4}, []float32{0, 1, -1, 4}, true},
		{"<i2", []byte{0xfe, 0xff, 0, 1, 0, 0, 0, 0}, []float32{-2, 256, 0, 0}, true},
		{">u2", []byte{0xff, 0xfe, 0, 1, 0, 0, 0, 0}, []float32{65534, 1, 0, 0}, true},
		{"<i4", bytesOf([]uint32{1 << 24, 2, 3, 4}), []float32{1 << 24, 2, 3, 4}, false},
		{"<u4", bytesOf([]uint32{1<<24 - 1, 2, 3, 4}), []float32{1<<24 - 1, 2, 3, 4}, true},
		{"<f2", []byte{0, 0x3c, 0, 0xc0, 0, 0, 0, 0x38}, []float32{1, -2, 0, 0.5}, false},
		{"<i8", bytesOf([]int64{-7, 1, 2, 3}), []float32{-7, 1, 2, 3}, true},
		{"<u8", bytesOf([]uint64{7, 1, 2, 3}), []float32{7, 1, 2, 3}, true},
		{"<f4", bytesOf([]float32{1.5, 1, 2, 3}), []float32{1.5, 1, 2, 3}, false},
		{"<f8", bytesOf([]float64{1.5, 1, 2, 3}), []float32{1.5, 1, 2, 3}, false},
	} {
		dir := write(t, map[string][]byte{"x.npy": npyBytes(c.descr, false, "(2, 2)", c.raw), "y.npy": npyOf(t, []int64{4, 0})})
		src, err := Open(filepath.Join(dir, "x.npy"), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.descr, err)
			continue
		}
		x0, y0 := read(t, src, 0)
		x1, _ := read(t, src, 1)
		f := src.Inputs()[0]
		if got := append(x0, x1...); !slices.Equal(got, c.want) || f.Integer != c.whole || f.Image || !slices.Equal(f.Shape, []int{2}) {
			t.Errorf("%s: got %v, %+v; want %v, whole numbers %v", c.descr, got, f, c.want, c.whole)
		}
		if y0[0] != 4 || src.Target().Classes != 5 {
			t.Errorf("%s: got label %v, %+v; want 4 of 5 classes", c.descr, y0[0], src.Target())
		}
	}
}

func TestNpyShapes(t *testing.T) {
	y := npyOf(t, []float32{0.5, -3})
	for _, c := range []struct {
		name  string
		raw   []byte
		shape []int
		image bool
		last  []float32 // of example 1
	}{
		{"scalars", npyOf(t, []float64{1, 2}), []int{1}, false, []float32{2}},
		{"grey images", npyBytes("|u1", false, "(2, 2, 3)", ramp(12)), []int{2, 3, 1}, true, []float32{6, 7, 8, 9, 10, 11}},
		{"colour images", npyBytes("|u1", false, "(2, 1, 2, 3)", ramp(12)), []int{1, 2, 3}, true, []float32{6, 7, 8, 9, 10, 11}},
		{"planes", npyBytes("|u1", false, "(2, 3, 1, 2)", ramp(12)), []int{3, 1, 2}, false, []float32{6, 7, 8, 9, 10, 11}},
		{"column-major", npyBytes("|i1", true, "(2, 2, 3)", ramp(12)), []int{2, 3}, false, []float32{1, 5, 9, 3, 7, 11}},
	} {
		dir := write(t, map[string][]byte{"X.npy": c.raw, "y.npy": y})
		src, err := Open(filepath.Join(dir, "X.npy"), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		f := src.Inputs()[0]
		x, target := read(t, src, 1)
		if !slices.Equal(f.Shape, c.shape) || f.Image != c.image || !slices.Equal(x, c.last) {
			t.Errorf("%s: got %+v, %v; want %v, image %v, %v", c.name, f, x, c.shape, c.image, c.last)
		}
		if src.Target().Labels || target[0] != -3 {
			t.Errorf("%s: got target %v, %+v; want -3, no label", c.name, target, src.Target())
		}
	}
}

func TestNpyTargets(t *testing.T) {
	x := npyOf(t, []float32{1, 2})
	for _, c := range []struct {
		name string
		y    []byte
		opt  Options
		want Target
		all  []float32
	}{
		{"column of labels", npyBytes("|u1", false, "(2, 1)", []byte{1, 2}), Options{}, Target{Labels: true, Classes: 3}, []float32{1, 2}},
		{"labels from 1", npyBytes("|u1", false, "(2,)", []byte{1, 2}), Options{LabelBase: 1}, Target{Labels: true, Classes: 2}, []float32{0, 1}},
		{"label per step", npyBytes("|u1", false, "(2, 2)", []byte{1, 2, 0, 4}), Options{}, Target{Labels: true, Classes: 5, Shape: []int{2}}, []float32{1, 2, 0, 4}},
		{"whole floats", npyOf(t, []float64{1, 0}), Options{}, Target{Labels: true, Classes: 2}, []float32{1, 0}},
		{"whole regression", npyOf(t, []int32{-1, 0}), Options{Regression: true}, Target{}, []float32{-1, 0}},
		{"rows of floats", npyBytes("|b1", false, "(2, 2)", []byte{1, 0, 0, 1}), Options{Regression: true}, Target{Shape: []int{2}}, []float32{1, 0, 0, 1}},
	} {
		dir := write(t, map[string][]byte{"x_train.npy": x, "y_train.npy": c.y})
		src, err := Open(filepath.Join(dir, "x_train.npy"), c.opt)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := src.Target()
		if got.Labels != c.want.Labels || got.Classes != c.want.Classes || !slices.Equal(got.Shape, c.want.Shape) || !slices.Equal(all(t, src), c.all) {
			t.Errorf("%s: got %+v, %v; want %+v, %v", c.name, got, all(t, src), c.want, c.all)
		}
	}
}

func TestNpyBad(t *testing.T) {
	good := npyBytes("<f4", false, "(2, 1)", make([]byte, 8))
	y := npyOf(t, []int64{0, 1})
	big := slices.Clone(good)
	big[6] = 2 // the length is then four bytes, and takes in some of the text
	for _, c := range []struct {
		name string
		x, y []byte
		want []string
	}{
		{"cut header", good[:60], y, []string{"x.npy", "header of", "end of the file"}},
		{"cut magic", good[:8], y, []string{"x.npy", "end of the file"}},
		{"cut values", good[:len(good)-1], y, []string{"x.npy", "[2 1]", "expected 8 bytes of values, found 7"}},
		{"more values", append(slices.Clone(good), 0), y, []string{"x.npy", "found more"}},
		{"long header", big, y, []string{"x.npy", "header of at most"}},
		{"version", append([]byte("\x93NUMPY\x09"), good[7:]...), y, []string{"x.npy", "format 1 or 2, found 9"}},
		{"no dictionary", npyText("hello", nil), y, []string{"x.npy", "dictionary"}},
		{"malformed", npyText("{'descr': 'fortran_order': 'shape': }", nil), y, []string{"x.npy", "malformed"}},
		{"objects", npyBytes("|O", false, "(2,)", nil), y, []string{"x.npy", `"|O"`}},
		{"complex", npyBytes("<c8", false, "(2,)", make([]byte, 16)), y, []string{"x.npy", `"<c8"`}},
		{"huge", npyBytes("<f4", false, "(4611686018427387904, 4)", nil), y, []string{"x.npy", "expected a larger file"}},
		{"negative", npyBytes("<f4", false, "(-2, 1)", nil), y, []string{"x.npy", "[-2 1]"}},
		{"number", npyBytes("<f4", false, "()", make([]byte, 4)), y, []string{"x.npy", "a single number"}},
		{"nothing", npyBytes("<f4", false, "(0, 4)", nil), y, []string{"x.npy", "[0 4]"}},
		{"infinite", npyBytes("<f4", false, "(2, 1)", []byte{0, 0, 0, 0, 0, 0, 0x80, 0x7f}), y, []string{"x.npy: record 1, value 0", "found +Inf"}},
		{"too large", npyOf(t, []float64{1, 1e300}), y, []string{"x.npy: record 1", "1e+300"}},
		{"counts", good, npyOf(t, []int64{0, 1, 2}), []string{"y.npy", "expected 2 labels", "x.npy", "found 3"}},
		{"negative label", good, npyOf(t, []int64{0, -1}), []string{"y.npy: record 1", "found -1"}},
		{"NaN label", good, npyBytes("<f4", false, "(2,)", []byte{0, 0, 0, 0, 0, 0, 0xc0, 0x7f}), []string{"y.npy: record 1", "NaN"}},
		{"labels of another kind", good, []byte("hello"), []string{"y.npy", "expected an .npy or idx file"}},
	} {
		dir := write(t, map[string][]byte{"x.npy": c.x, "y.npy": c.y})
		_, err := Open(filepath.Join(dir, "x.npy"), Options{})
		wantError(t, c.name, err, c.want...)
	}
	dir := write(t, map[string][]byte{"x.npy": good, "cats.npy": good})
	_, err := Open(filepath.Join(dir, "x.npy"), Options{})
	wantError(t, "no labels", err, "x.npy", "y.npy beside it")
	_, err = Open(filepath.Join(dir, "cats.npy"), Options{})
	wantError(t, "no name", err, "cats.npy", "does not tell")
	if _, err = Open(filepath.Join(dir, "cats.npy"), Options{Labels: filepath.Join(dir, "x.npy")}); err != nil {
		t.Errorf("labels given: %v", err)
	}
}

func TestNpz(t *testing.T) {
	two, three := npyOf(t, []float32{1, 2}), npyOf(t, []float32{3, 4, 5})
	labels2, labels3 := npyOf(t, []int64{0, 1}), npyOf(t, []int64{0, 1, 1})
	for _, c := range []struct {
		name   string
		files  map[string][]byte
		opt    Options
		n      int
		inputs []string
	}{
		{"one input", map[string][]byte{"x.npy": two, "y.npy": labels2}, Options{}, 2, []string{"x"}},
		{"another name", map[string][]byte{"x.npy": two, "y.npy": labels2}, Options{Inputs: []string{"Input3"}}, 2, []string{"x"}},
		{"two inputs", map[string][]byte{"b.npy": two, "a.npy": two, "labels.npy": labels2}, Options{}, 2, []string{"a", "b"}},
		{"inputs in order", map[string][]byte{"b.npy": two, "a.npy": two, "c.npy": three, "labels.npy": labels2}, Options{Inputs: []string{"b", "a"}}, 2, []string{"b", "a"}},
		{"named label", map[string][]byte{"y.npy": two, "kind.npy": labels2}, Options{Label: "kind"}, 2, []string{"y"}},
		{"train half", map[string][]byte{"x_train.npy": two, "y_train.npy": labels2, "x_test.npy": three, "y_test.npy": labels3}, Options{}, 2, []string{"x"}},
		{"test half", map[string][]byte{"x_train.npy": two, "y_train.npy": labels2, "x_test.npy": three, "y_test.npy": labels3}, Options{Split: "test"}, 3, []string{"x"}},
		{"test half, in front", map[string][]byte{"train_images.npy": two, "train_labels.npy": labels2, "test_images.npy": three, "test_labels.npy": labels3}, Options{Split: "test"}, 3, []string{"images"}},
	} {
		for _, method := range []uint16{zip.Store, zip.Deflate} {
			src, err := Open(write(t, map[string][]byte{"d.npz": npzOf(t, method, c.files)}), c.opt)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			var names []string
			for _, f := range src.Inputs() {
				names = append(names, f.Name)
			}
			if src.Len() != c.n || !slices.Equal(names, c.inputs) {
				t.Errorf("%s: got %d examples of %q, want %d of %q", c.name, src.Len(), names, c.n, c.inputs)
			}
			in := make([][]float32, len(names))
			in[0] = make([]float32, 1) // the others are left out
			if err := src.Example(1, in, nil); err != nil || in[0][0] != float32(2*c.n-2) {
				t.Errorf("%s: got example %v, %v; want %d", c.name, in[0], err, 2*c.n-2)
			}
		}
	}

	one := map[string][]byte{"x.npy": two, "y.npy": labels2}
	for _, c := range []struct {
		name string
		raw  []byte
		opt  Options
		want []string
	}{
		{"not an archive", []byte("PK, or so"), Options{}, []string{"d.npz", "zip"}},
		{"nothing in it", npzOf(t, zip.Store, map[string][]byte{"readme": nil}), Options{}, []string{"d.npz", "found none"}},
		{"no target", npzOf(t, zip.Store, map[string][]byte{"x.npy": two, "z.npy": two}), Options{}, []string{"d.npz", "labels", "found x, z"}},
		{"no such target", npzOf(t, zip.Store, one), Options{Label: "z"}, []string{"array z", "found x, y"}},
		{"target only", npzOf(t, zip.Store, map[string][]byte{"y.npy": two}), Options{}, []string{"beside y", "none"}},
		{"inputs missing", npzOf(t, zip.Store, one), Options{Inputs: []string{"x", "z"}}, []string{"x, z", "found x, y"}},
		{"counts", npzOf(t, zip.Store, map[string][]byte{"a.npy": two, "b.npy": three, "y.npy": labels2}), Options{}, []string{"d.npz: b", "expected 2 records", "found 3"}},
		{"broken member", npzOf(t, zip.Deflate, map[string][]byte{"x.npy": two[:20], "y.npy": labels2}), Options{}, []string{"d.npz: x", "end of the file"}},
		{"bomb", npzOf(t, zip.Deflate, map[string][]byte{"x.npy": npyBytes("<f8", false, "(1000000000, 1000)", make([]byte, 1<<20)), "y.npy": labels2}), Options{}, []string{"d.npz: x", "expected a larger file"}},
		{"half missing", npzOf(t, zip.Store, one), Options{Split: "test"}, []string{"d.npz", "no such split"}},
	} {
		_, err := Open(write(t, map[string][]byte{"d.npz": c.raw}), c.opt)
		wantError(t, c.name, err, c.want...)
		if c.opt.Split == "test" && !errors.Is(err, ErrNoSplit) {
			t.Errorf("%s: got %v, want ErrNoSplit", c.name, err)
		}
	}
}

func FuzzNpy(f *testing.F) {
	f.Add(npyBytes("<f4", false, "(2, 1)", make([]byte, 8)))
	f.Add(npyBytes("|u1", true, "(2, 3, 4)", ramp(24)))
	f.Add(npyBytes("<f8", false, "(4611686018427387904, 4)", nil))
	f.Add(npyText("{'descr': 'fortran_order': 'shape': }", nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := decodeNpy("x", bytes.NewReader(raw), int64(len(raw)))
		checkArray(t, a, err, raw)
	})
}

func FuzzNpz(f *testing.F) {
	f.Add(npzOf(f, zip.Store, map[string][]byte{"x.npy": npyBytes("|u1", false, "(2,)", ramp(2)), "y.npy": npyBytes("|u1", false, "(2,)", ramp(2))}))
	f.Add(npzOf(f, zip.Deflate, map[string][]byte{"x_train.npy": nil}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(write(t, map[string][]byte{"d.npz": raw}), "d.npz")
		if src, err := openNpz(path, Options{Split: "train"}); err == nil && src.Len() < 1 {
			t.Errorf("got a source of %d examples", src.Len())
		}
	})
}
