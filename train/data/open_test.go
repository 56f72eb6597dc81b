package data

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestOpenBad(t *testing.T) {
	table := []byte("1,2,0\n")
	for _, c := range []struct {
		name  string
		files map[string][]byte
		path  string
		opt   Options
		want  []string
	}{
		{name: "missing", path: "none", want: []string{"none", "no such file"}},
		{name: "empty folder", want: []string{"found nothing"}},
		{name: "empty file", files: map[string][]byte{"a.csv": nil}, path: "a.csv", want: []string{"a.csv", "an empty file"}},
		{name: "model", files: map[string][]byte{"m.onnx": []byte("\x08\x07\x12\x07pytorch")}, path: "m.onnx", want: []string{"m.onnx", "08 07 12"}},
		{name: "picture", files: map[string][]byte{"a.png": []byte("\x89PNG\r\n\x1a\n")}, path: "a.png", want: []string{"a.png", "a single image"}},
		{name: "pointer", files: map[string][]byte{"a.csv": []byte(lfsPointer + "v1\n")}, path: "a.csv", want: []string{"a.csv", "git lfs pull"}},
		{name: "pointer to a picture", files: map[string][]byte{"cat/a.png": []byte(lfsPointer + "v1\n")}, want: []string{"a.png", "git lfs pull"}},
		{name: "gzip", files: map[string][]byte{"a.csv.gz": pack(table)}, path: "a.csv.gz", want: []string{"a.csv.gz", "unpacked"}},
		{name: "two tables", files: map[string][]byte{"a.csv": table, "b.csv": table}, want: []string{"one file of data", "a.csv, b.csv"}},
		{name: "split", path: ".", opt: Options{Split: "half"}, want: []string{`"half"`}},
		{name: "table has no halves", files: map[string][]byte{"a.csv": table}, path: "a.csv", opt: Options{Split: "test"}, want: []string{"a.csv", "test half"}},
		{name: "training table only", files: map[string][]byte{"train.csv": table}, opt: Options{Split: "test"}, want: []string{"test half", "train.csv"}},
	} {
		_, err := Open(filepath.Join(write(t, c.files), c.path), c.opt)
		wantError(t, c.name, err, c.want...)
		if c.opt.Split == "test" && !errors.Is(err, ErrNoSplit) {
			t.Errorf("%s: got %v, want ErrNoSplit", c.name, err)
		}
	}
}

func TestOpenFolderOfTables(t *testing.T) {
	one, two := []byte("1,2,0\n"), []byte("1,2,0\n3,4,1\n")
	for _, c := range []struct {
		name  string
		files map[string][]byte
		split string
		n     int
	}{
		{"one table", map[string][]byte{"housing.csv": two, "README.md": nil}, "train", 2},
		{"train", map[string][]byte{"train.csv": two, "test.csv": one}, "train", 2},
		{"test", map[string][]byte{"train.csv": two, "test.csv": one}, "test", 1},
	} {
		src, err := Open(write(t, c.files), Options{Split: c.split})
		if err != nil || src.Len() != c.n {
			t.Errorf("%s: got %v, %v; want %d examples", c.name, src, err, c.n)
		}
	}
}

// What targets mean is decided by the training half.
func TestOpenTestHalfLikeTraining(t *testing.T) {
	for _, c := range []struct {
		name        string
		train, test string
		labels      bool
		want        float32
	}{
		{"class names", "1,a\n2,b\n", "1,b\n", true, 1},
		{"fractions", "1,0.5\n", "1,3\n", false, 3},
		{"class numbers", "1,0\n1,1\n", "1,1\n", true, 1},
	} {
		dir := write(t, map[string][]byte{"train.csv": []byte(c.train), "test.csv": []byte(c.test)})
		src, err := Open(dir, Options{Split: "test"})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := all(t, src)[0]; got != c.want || src.Target().Labels != c.labels {
			t.Errorf("%s: got target %v, %+v; want %v, labels %v", c.name, got, src.Target(), c.want, c.labels)
		}
	}
	_, err := Open(write(t, map[string][]byte{"train.csv": []byte("1,a\n"), "test.csv": []byte("1,c\n")}), Options{Split: "test"})
	wantError(t, "unknown class", err, "test.csv: line 1", `["a"]`, `"c"`)
}
