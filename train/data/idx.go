package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The idx format (Yann LeCun, Corinna Cortes, The MNIST database, 1998) is a
// magic number of four bytes, two of them zero, one for the element type and one
// for the number of axes; the length of each axis, 32 bits, the high byte first;
// then the elements, row-major, with their high byte first as well.
var idxElems = map[byte]elem{
	0x08: {'u', 1, binary.BigEndian},
	0x09: {'i', 1, binary.BigEndian},
	0x0b: {'i', 2, binary.BigEndian},
	0x0c: {'i', 4, binary.BigEndian},
	0x0d: {'f', 4, binary.BigEndian},
	0x0e: {'f', 8, binary.BigEndian},
}

const (
	idxAxes = 8 // more than any known file has
	// gzip cannot pack more than about 1,032 bytes into one, so a header that
	// promises more lies.
	gzipRatio = 1040
)

// openIdx reads a file of images, or other inputs, and that of its labels.
func openIdx(path string, opt Options) (Source, error) {
	labels := opt.Labels
	if labels == "" {
		var err error
		if labels, err = idxLabels(path); err != nil {
			return nil, err
		}
	}
	x, err := readIdx(path)
	if err != nil {
		return nil, err
	}
	y, err := readIdx(labels)
	if err != nil {
		return nil, err
	}
	name := "features"
	if len(x.shape) > 2 {
		name = "image"
	}
	return newArrays([]*array{x}, []string{name}, y, opt)
}

// idxLabels is the file beside path that is named like it, but for labels.
func idxLabels(path string) (string, error) {
	dir, name := filepath.Split(path)
	name = strings.TrimSuffix(name, ".gz")
	labels := strings.NewReplacer("images", "labels", "idx2", "idx1", "idx3", "idx1", "idx4", "idx1").Replace(name)
	if labels != name {
		for _, suffix := range []string{"", ".gz"} {
			if candidate := filepath.Join(dir, labels+suffix); isFile(candidate) {
				return candidate, nil
			}
		}
		return "", fmt.Errorf("%s: expected its labels in %s beside it, found no such file", path, labels)
	}
	return "", fmt.Errorf("%s: expected a file of labels to go with it; its name does not tell which one", path)
}

// findIdx is the file of images in a folder for a split: "train" or "test".
// It is empty if the folder holds no idx images at all.
func findIdx(dir string, names []string, split string) (string, error) {
	found := map[string][]string{}
	any := false
	for _, name := range names {
		base := strings.TrimSuffix(name, ".gz")
		if !strings.Contains(base, "images") || !strings.Contains(base, "idx") || !isFile(filepath.Join(dir, name)) {
			continue
		}
		any = true
		half := "train"
		if strings.Contains(base, "t10k") || strings.Contains(base, "test") {
			half = "test"
		}
		// Sorted names put a plain file before its packed form.
		if list := found[half]; len(list) == 0 || list[len(list)-1]+".gz" != name {
			found[half] = append(list, name)
		}
	}
	switch list := found[split]; {
	case !any:
		return "", nil
	case len(list) == 0:
		return "", fmt.Errorf("%s: %s images: %w", dir, split, ErrNoSplit)
	case len(list) > 1:
		return "", fmt.Errorf("%s: expected one file of %s images, found %s; name one of them", dir, split, strings.Join(list, ", "))
	default:
		return filepath.Join(dir, list[0]), nil
	}
}

// readIdx reads one file, packed with gzip or not.
func readIdx(path string) (*array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, limit := bufio.NewReaderSize(f, 1<<16), info.Size()
	if magic, _ := r.Peek(2); string(magic) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		r, limit = bufio.NewReaderSize(unpacked, 1<<16), limit*gzipRatio
	}
	return decodeIdx(path, r, limit)
}

// decodeIdx reads an array from r, which cannot hold more than limit bytes.
func decodeIdx(path string, r io.Reader, limit int64) (*array, error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, fmt.Errorf("%s: expected an idx header of at least 8 bytes: %w", path, cut(err))
	}
	e, known := idxElems[magic[2]]
	axes := int(magic[3])
	if magic[0] != 0 || magic[1] != 0 || !known || axes == 0 || axes > idxAxes {
		return nil, fmt.Errorf("%s: expected an idx magic number (0x00000803 for images, 0x00000801 for labels), found 0x%x", path, magic)
	}
	header := make([]byte, 4*axes)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("%s: expected an idx header of %d bytes: %w", path, 4+4*axes, cut(err))
	}
	a := &array{place: path, elem: e}
	for k := range axes {
		a.shape = append(a.shape, int(binary.BigEndian.Uint32(header[4*k:])))
	}
	n, ok := volume(a.shape, limit/int64(e.size))
	if slices.Contains(a.shape, 0) {
		return nil, fmt.Errorf("%s: expected at least one record of at least one value, found dimensions %v", path, a.shape)
	}
	if !ok {
		what := "more bytes than can be counted"
		if n, ok := volume(a.shape, math.MaxInt64/int64(e.size)); ok {
			what = fmt.Sprintf("%d bytes", n*int64(e.size))
		}
		return nil, fmt.Errorf("%s: dimensions %v take %s: expected a larger file, this one holds no more than %d bytes; it may be cut off",
			path, a.shape, what, limit)
	}
	var err error
	if a.raw, err = readAll(r, n*int64(e.size)); err != nil {
		return nil, fmt.Errorf("%s: dimensions %v: %w", path, a.shape, err)
	}
	return a, nil
}

// readAll reads r, which has to hold exactly n bytes. Memory grows with what is
// there, not with what is promised.
func readAll(r io.Reader, n int64) ([]byte, error) {
	buf := make([]byte, 0, min(n, 1<<24))
	for int64(len(buf)) < n {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(n, 2*int64(cap(buf))))
			copy(grown, buf)
			buf = grown
		}
		k, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+k]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("expected %d bytes of values, found %d", n, len(buf))
		}
		if err != nil {
			return nil, err
		}
	}
	if k, err := io.ReadFull(r, make([]byte, 1)); k > 0 {
		return nil, fmt.Errorf("expected %d bytes of values, found more", n)
	} else if err != io.EOF {
		return nil, err
	}
	return buf, nil
}

// cut says in plain words that a file ends too soon.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("found the end of the file")
	}
	return err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
