package export

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"

	"finetune/onnxload"
)

// Size is how much room files take, in bytes.
type Size struct {
	Plain int64
	Gzip  int64 // each compressed by itself at gzip's default level
}

// Measure adds up the sizes of files. Zeros compress well: what pruning saves
// shows in Gzip, not in Plain.
func Measure(files ...string) (Size, error) {
	var s Size
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return s, err
		}
		err = s.add(f)
		f.Close()
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// MeasureModel is the size of the files that m was read from. The model counts
// as it was read, whatever has become of its file since.
func MeasureModel(m *onnxload.Model) (Size, error) {
	var payloads []string
	for _, t := range m.Tensors {
		if t.At.External {
			payloads = append(payloads, filepath.Join(filepath.Dir(m.Path), filepath.FromSlash(localName(t.At.Location))))
		}
	}
	slices.Sort(payloads)
	s, err := Measure(slices.Compact(payloads)...)
	if err != nil {
		return s, err
	}
	return s, s.add(bytes.NewReader(m.Bytes))
}

// add counts one file.
func (s *Size) add(r io.Reader) error {
	var packed counter
	z := gzip.NewWriter(&packed)
	n, err := io.Copy(z, r)
	if err == nil {
		err = z.Close()
	}
	s.Plain += n
	s.Gzip += int64(packed)
	return err
}

// counter is a writer that only counts.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
