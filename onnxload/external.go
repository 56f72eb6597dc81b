package onnxload

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"finetune/internal/onnxpb"
)

// external reads payloads that lie in files beside the model. Such a file must
// be inside the model's folder; os.Root holds us to that, symbolic links included.
type external struct {
	dir   string // the model's folder; "" when external data is not allowed
	root  *os.Root
	files map[string]*externalFile // by location
}

type externalFile struct {
	*os.File
	size int64
	read int64 // bytes, over all tensors
}

func newExternal(dir string) *external {
	return &external{dir: dir, files: make(map[string]*externalFile)}
}

func (x *external) close() {
	for _, f := range x.files {
		f.Close()
	}
	if x.root != nil {
		x.root.Close()
	}
}

// read fetches the payload of p, which has n elements, and notes where it was.
func (x *external) read(p *onnxpb.TensorProto, n int, e element, at *Origin) ([]byte, error) {
	if len(p.RawData) > 0 || typedLen(p) > 0 {
		return nil, formatError("", "the payload is there twice, in the model and in a file of its own")
	}
	if e.bits == 0 {
		return nil, formatError("", "strings cannot be stored in a file of their own")
	}
	at.External, at.Length = true, int64(byteLen(n, e))
	for _, entry := range p.GetExternalData() {
		var err error
		switch entry.GetKey() {
		case "location":
			at.Location = entry.GetValue()
		case "offset":
			at.Offset, err = strconv.ParseInt(entry.GetValue(), 10, 64)
		case "length":
			var length int64
			length, err = strconv.ParseInt(entry.GetValue(), 10, 64)
			if err == nil && length != at.Length {
				return nil, formatError("", "%d elements of %s take %d bytes, the external data has %d", n, e.dtype, at.Length, length)
			}
		}
		if err != nil {
			return nil, formatError("", "%s of the external data is %q, want a number of bytes", entry.GetKey(), entry.GetValue())
		}
	}
	switch {
	case at.Location == "":
		return nil, formatError("", "the external data has no location")
	case x.dir == "":
		return nil, formatError("", "the payload is in the file %q, and a model without a folder cannot have external data", at.Location)
	case at.Offset < 0:
		return nil, formatError("", "negative offset %d into %q", at.Offset, at.Location)
	}
	f, err := x.open(at.Location)
	if err != nil {
		return nil, err
	}
	if at.Offset > f.size || at.Length > f.size-at.Offset {
		return nil, &FormatError{
			What: fmt.Sprintf("external data file %q has %d bytes, too few for %d at offset %d", at.Location, f.size, at.Length, at.Offset),
			Hint: "the file may be cut off, or belong to another model",
		}
	}
	// Tensors may share bytes, but not without end.
	if f.read += at.Length; f.read > 1<<20+4*f.size {
		return nil, formatError("", "the tensors in external data file %q overlap many times over", at.Location)
	}
	raw := make([]byte, at.Length)
	if _, err := f.ReadAt(raw, at.Offset); err != nil && !(errors.Is(err, io.EOF) && at.Length == 0) {
		return nil, &FormatError{What: fmt.Sprintf("external data file %q", at.Location), Err: err}
	}
	return raw, nil
}

// open returns a file of the model's folder. Files stay open until the model is
// loaded: models put a thousand tensors into one.
func (x *external) open(location string) (*externalFile, error) {
	if f := x.files[location]; f != nil {
		return f, nil
	}
	name, err := folderPath(location)
	if err != nil {
		return nil, err
	}
	fail := func(err error) error {
		return &FormatError{What: fmt.Sprintf("external data file %q in the folder %q", location, x.dir), Err: err}
	}
	if x.root == nil {
		if x.root, err = os.OpenRoot(x.dir); err != nil {
			return nil, fail(err)
		}
	}
	info, err := x.root.Stat(name) // opening a pipe would block
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FormatError{
			What: fmt.Sprintf("external data file %q is not in the folder %q", location, x.dir),
			Hint: "models with external data come as several files that belong together",
		}
	case err != nil:
		return nil, fail(err)
	case !info.Mode().IsRegular():
		return nil, fail(errors.New("not a regular file"))
	}
	f, err := x.root.Open(name)
	if err != nil {
		return nil, fail(err)
	}
	x.files[location] = &externalFile{File: f, size: info.Size()}
	return x.files[location], nil
}

// folderPath checks that a location is a relative path that stays where it starts.
// Files from Windows may spell it with backslashes.
func folderPath(location string) (string, error) {
	slashed := strings.ReplaceAll(location, `\`, "/")
	drive := len(slashed) > 1 && slashed[1] == ':'
	if path.IsAbs(slashed) || drive {
		return "", formatError("", "external data %q is an absolute path; only files in the model's folder are read", location)
	}
	for part := range strings.SplitSeq(slashed, "/") {
		if part == ".." {
			return "", formatError("", "external data %q leaves the model's folder", location)
		}
	}
	clean := path.Clean(slashed)
	if clean == "." || strings.ContainsRune(clean, 0) {
		return "", formatError("", "external data %q is not the name of a file", location)
	}
	return clean, nil
}
