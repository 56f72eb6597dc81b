package export

import (
	"compress/gzip"
	"io"
	"os"
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
		var packed counter
		z := gzip.NewWriter(&packed)
		n, err := io.Copy(z, f)
		f.Close()
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			return s, err
		}
		s.Plain += n
		s.Gzip += int64(packed)
	}
	return s, nil
}

// counter is a writer that only counts.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
