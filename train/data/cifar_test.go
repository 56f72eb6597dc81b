package data

import (
	"errors"
	"path/filepath"
	"testing"

	"finetune/internal/corpus"
)

// cifarBytes are records with the given labels; their pixels count up, plane by
// plane, from the label.
func cifarBytes(labels ...byte) []byte {
	var out []byte
	for _, label := range labels {
		out = append(out, label)
		for k := range 3 * cifarPlane {
			out = append(out, byte(k/cifarPlane)*50+label)
		}
	}
	return out
}

func TestCifar(t *testing.T) {
	dir := write(t, map[string][]byte{
		"data_batch_1.bin": cifarBytes(3, 4), "data_batch_2.bin": cifarBytes(5), "test_batch.bin": cifarBytes(9), "batches.meta.txt": nil,
	})
	src, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if src.Len() != 3 || src.Target().Classes != 10 || src.Target().Names[9] != "truck" {
		t.Errorf("got %d examples, %+v; want 3 of 10 classes, the last a truck", src.Len(), src.Target())
	}
	for i, want := range []struct {
		label float32
		where string
	}{{3, "data_batch_1.bin: record 0"}, {4, "data_batch_1.bin: record 1"}, {5, "data_batch_2.bin: record 0"}} {
		x, y := read(t, src, i)
		if y[0] != want.label || x[0] != want.label || x[1] != 50+want.label || x[2] != 100+want.label || x[len(x)-1] != 100+want.label {
			t.Errorf("record %d: got label %v, pixels %v … %v, want label %v, red, green and blue 50 apart", i, y[0], x[:3], x[len(x)-1], want.label)
		}
		if src.Where(i) != filepath.Join(dir, want.where) {
			t.Errorf("got Where %q, want %q", src.Where(i), want.where)
		}
	}
	if src, err = Open(dir, Options{Split: "test"}); err != nil || src.Len() != 1 {
		t.Errorf("test half: got %v, %v; want one example", src, err)
	}
	if src, err = Open(filepath.Join(dir, "test_batch.bin"), Options{}); err != nil || src.Len() != 1 {
		t.Errorf("single file: got %v, %v; want one example", src, err)
	}

	_, err = Open(write(t, map[string][]byte{"train.bin": cifarBytes(1)}), Options{Split: "test"})
	if !errors.Is(err, ErrNoSplit) {
		t.Errorf("got %v, want ErrNoSplit", err)
	}
	_, err = Open(write(t, map[string][]byte{"train.bin": cifarBytes(1, 2)[:5000]}), Options{})
	wantError(t, "cut", err, "train.bin", "3073 bytes each", "found 5000 bytes", "1 records and 1927 bytes more")
	_, err = Open(write(t, map[string][]byte{"train.bin": cifarBytes(1, 10)}), Options{})
	wantError(t, "label", err, "train.bin: record 1", "from 0 to 9", "found 10")
}

func TestCifarCorpus(t *testing.T) {
	dir := corpus.Path(t, "datasets/cifar10")
	for split, n := range map[string]int{"train": 5000, "test": 1000} {
		src, err := Open(dir, Options{Split: split})
		if err != nil {
			t.Fatal(err)
		}
		if src.Len() != n {
			t.Errorf("%s: got %d examples, want %d", split, src.Len(), n)
		}
	}
	src, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The first training image is the well-known frog, (59, 62, 63) in its corner.
	if x, y := read(t, src, 0); y[0] != 6 || x[0] != 59 || x[1] != 62 || x[2] != 63 {
		t.Errorf("got label %v, corner %v; want 6, [59 62 63]", y[0], x[:3])
	}
}
