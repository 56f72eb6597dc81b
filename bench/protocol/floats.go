package protocol

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
)

// ReadFloats reads a file of float32, little-endian, of a folder. It needs little
// memory besides the numbers, for that of the process is measured.
func ReadFloats(dir, name string) ([]float32, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	values := make([]float32, info.Size()/4)
	r := bufio.NewReaderSize(f, 1<<16)
	var b [4]byte
	for i := range values {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, err
		}
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[:]))
	}
	return values, nil
}
