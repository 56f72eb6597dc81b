package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sbinet/npyio/npy"
)

// npyHeader is the most that the header of an .npy file may be; those of plain
// arrays have 118 bytes.
const npyHeader = 1 << 16

// openNpy reads an array of inputs and that of its labels.
func openNpy(path string, opt Options) (Source, error) {
	labels := opt.Labels
	if labels == "" {
		var err error
		if labels, err = npyLabels(path); err != nil {
			return nil, err
		}
	}
	x, err := readArray(path)
	if err != nil {
		return nil, err
	}
	y, err := readArray(labels)
	if err != nil {
		return nil, err
	}
	return newArrays([]*array{x}, []string{"features"}, y, opt)
}

// npyLabels is the file beside path that is named like it, but for labels.
func npyLabels(path string) (string, error) {
	dir, name := filepath.Split(path)
	var tried []string
	for _, names := range [][2]string{
		{"images", "labels"}, {"features", "labels"}, {"inputs", "targets"}, {"data", "labels"}, {"x", "y"}, {"X", "y"}, {"X", "Y"},
	} {
		if !strings.Contains(name, names[0]) {
			continue
		}
		labels := strings.Replace(name, names[0], names[1], 1)
		if candidate := filepath.Join(dir, labels); isFile(candidate) {
			return candidate, nil
		}
		tried = append(tried, labels)
	}
	if tried == nil {
		return "", fmt.Errorf("%s: expected a file of labels to go with it; its name does not tell which one", path)
	}
	return "", fmt.Errorf("%s: expected its labels in %s beside it, found no such file", path, strings.Join(tried, " or "))
}

// readArray reads an .npy or an idx file.
func readArray(path string) (*array, error) {
	kind, err := sniff(path)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "idx":
		return readIdx(path)
	case "npy":
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		return decodeNpy(path, f, info.Size())
	}
	return nil, fmt.Errorf("%s: expected an .npy or idx file, found %s", path, kind)
}

// decodeNpy reads an array (NumPy Enhancement Proposal 1, 2007) from r, which
// cannot hold more than limit bytes.
func decodeNpy(place string, r io.Reader, limit int64) (*array, error) {
	head, err := npyHead(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	a := &array{place: place, shape: slices.Clone(head.Descr.Shape)}
	if a.elem, err = npyElem(head.Descr.Type); err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	n, ok := volume(a.shape, limit/int64(a.elem.size))
	switch {
	case len(a.shape) == 0:
		return nil, fmt.Errorf("%s: expected an array whose first axis counts the examples, found a single number", place)
	case slices.Contains(a.shape, 0):
		return nil, fmt.Errorf("%s: expected at least one record of at least one value, found shape %v", place, a.shape)
	case !ok:
		return nil, fmt.Errorf("%s: shape %v of %d bytes each: expected a larger file, this one holds no more than %d bytes",
			place, a.shape, a.elem.size, limit)
	}
	if a.raw, err = readAll(r, n*int64(a.elem.size)); err != nil {
		return nil, fmt.Errorf("%s: shape %v: %w", place, a.shape, err)
	}
	if head.Descr.Fortran {
		a.toRowMajor()
	}
	return a, nil
}

// npyHead reads the header alone and has npyio understand it. That library
// trusts what it is given, lengths included, so those are checked here and a
// panic over a malformed dictionary becomes an error.
func npyHead(r io.Reader) (head npy.Header, err error) {
	prefix := make([]byte, 10, npyHeader)
	if _, err := io.ReadFull(r, prefix); err != nil {
		return head, fmt.Errorf("expected an .npy header: %w", cut(err))
	}
	if !bytes.Equal(prefix[:6], npy.Magic[:]) {
		return head, fmt.Errorf("expected an .npy file, found bytes that begin % x", prefix[:6])
	}
	length := int64(binary.LittleEndian.Uint16(prefix[8:]))
	switch prefix[6] {
	case 1:
	case 2:
		prefix = prefix[:12]
		if _, err := io.ReadFull(r, prefix[10:]); err != nil {
			return head, fmt.Errorf("expected an .npy header: %w", cut(err))
		}
		length = int64(binary.LittleEndian.Uint32(prefix[8:]))
	default:
		return head, fmt.Errorf("expected .npy format 1 or 2, found %d", prefix[6])
	}
	if length > npyHeader {
		return head, fmt.Errorf("expected an .npy header of at most %d bytes, found %d", npyHeader, length)
	}
	raw := append(prefix, make([]byte, length)...)
	if _, err := io.ReadFull(r, raw[len(prefix):]); err != nil {
		return head, fmt.Errorf("expected an .npy header of %d bytes: %w", length, cut(err))
	}
	defer func() {
		if recover() != nil {
			err = errors.New("expected an .npy header with descr, fortran_order and shape, found a malformed one")
		}
	}()
	reader, err := npy.NewReader(bytes.NewReader(raw))
	if err != nil {
		return head, err
	}
	return reader.Header, nil
}

// npyElem is the element type that NumPy writes as descr, such as "<f4".
func npyElem(descr string) (elem, error) {
	switch descr {
	case "|b1":
		return elem{kind: 'b', size: 1}, nil
	case "|u1", "|i1":
		return elem{kind: descr[1], size: 1}, nil
	}
	if len(descr) == 3 {
		e := elem{kind: descr[1], size: int(descr[2] - '0'), order: binary.LittleEndian}
		if descr[0] == '>' {
			e.order = binary.BigEndian
		}
		known := e.size == 2 || e.size == 4 || e.size == 8
		if known && strings.IndexByte("uif", e.kind) >= 0 && strings.IndexByte("<>=", descr[0]) >= 0 {
			return e, nil
		}
	}
	return elem{}, fmt.Errorf("expected floats, integers or bools, found type %q", descr)
}

// toRowMajor reorders an array in which the first axis changes fastest.
func (a *array) toRowMajor() {
	size := a.elem.size
	raw := make([]byte, len(a.raw))
	strides := make([]int, len(a.shape)) // of the old order, in elements
	stride := 1
	for k, d := range a.shape {
		strides[k] = stride
		stride *= d
	}
	at := make([]int, len(a.shape))
	from := 0
	for to := 0; to < len(raw); to += size {
		copy(raw[to:to+size], a.raw[from*size:])
		for k := len(at) - 1; k >= 0; k-- {
			at[k]++
			from += strides[k]
			if at[k] < a.shape[k] {
				break
			}
			from -= at[k] * strides[k]
			at[k] = 0
		}
	}
	a.raw = raw
}
