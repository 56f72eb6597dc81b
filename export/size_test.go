package export

import (
	"os"
	"path/filepath"
	"testing"
)

// A payload file counts once, however many tensors lie in it, and the model
// counts as it was read, though it may have been overwritten.
func TestMeasureModel(t *testing.T) {
	m := external(t)
	dir := filepath.Dir(m.Path)
	want, err := Measure(m.Path, filepath.Join(dir, "one.bin"), filepath.Join(dir, "sub", "two.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.Path, []byte("something else"), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := MeasureModel(m)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if want.Plain <= int64(len(m.Bytes)) || want.Gzip <= 0 {
		t.Errorf("got sizes %+v for a model of %d bytes and payloads", want, len(m.Bytes))
	}
}
