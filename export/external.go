package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"finetune/onnxload"
)

// sources reads payload files in the folder of a model. They are opened when
// first needed, and none outside the folder can be.
type sources struct {
	dir   string // "" when the model is not from a file
	root  *os.Root
	files map[string]*os.File
}

func newSources(model string) *sources {
	s := &sources{files: map[string]*os.File{}}
	if model != "" {
		s.dir = filepath.Dir(model)
	}
	return s
}

func (s *sources) close() {
	for _, f := range s.files {
		f.Close()
	}
	if s.root != nil {
		s.root.Close()
	}
}

// localName is the path that a location means; models from Windows spell it
// with backslashes.
func localName(location string) string {
	return path.Clean(strings.ReplaceAll(location, `\`, "/"))
}

func (s *sources) open(location string) (*os.File, error) {
	name := localName(location)
	if f := s.files[name]; f != nil {
		return f, nil
	}
	if s.dir == "" {
		return nil, fmt.Errorf("external data %q: the model was not read from a file, so its folder is not known", location)
	}
	if s.root == nil {
		root, err := os.OpenRoot(s.dir)
		if err != nil {
			return nil, err
		}
		s.root = root
	}
	f, err := s.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("external data: %w", err)
	}
	s.files[name] = f
	return f, nil
}

// read is the payload at l.
func (s *sources) read(l location) ([]byte, error) {
	f, err := s.open(l.name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	rest := info.Size() - l.offset
	if l.length < 0 {
		l.length = rest
	}
	if l.offset < 0 || l.length > rest {
		return nil, fmt.Errorf("external data %q has %d bytes, want %d at offset %d", l.name, info.Size(), l.length, l.offset)
	}
	b := make([]byte, l.length)
	_, err = f.ReadAt(b, l.offset)
	if errors.Is(err, io.EOF) && len(b) == 0 {
		err = nil
	}
	return b, err
}

// A payloadFile is one file that tensors of the model refer to.
type payloadFile struct {
	location string     // as the first tensor spells it
	tensors  []*message // all that refer to it
	changes  []change
	target   string // where it is written, relative to the output's folder; "" to leave it where it is
}

// change is a stretch of a payload file that holds a trained parameter.
type change struct {
	offset int64
	bytes  []byte
}

// externalTensors are the tensors anywhere in the model whose payload is in a
// file of its own.
func externalTensors(file []byte, m *message) []*message {
	if m.kind == tensorProto && isExternal(file, m) {
		return []*message{m}
	}
	var found []*message
	for _, part := range m.parts {
		found = append(found, externalTensors(file, part)...)
	}
	return found
}

// payloadFiles lists the files that tensors of the model refer to, in order of
// first reference.
func payloadFiles(file []byte, root *message) ([]*payloadFile, error) {
	var files []*payloadFile
	byName := map[string]*payloadFile{}
	for _, t := range externalTensors(file, root) {
		l, err := tensorLocationOf(file, t)
		if err != nil {
			return nil, err
		}
		p := byName[localName(l.name)]
		if p == nil {
			p = &payloadFile{location: l.name}
			byName[localName(l.name)] = p
			files = append(files, p)
		}
		p.tensors = append(p.tensors, t)
	}
	return files, nil
}

// place decides where each payload file goes; see the package comment.
func place(files []*payloadFile, m *onnxload.Model, path string, overwrite bool, s *sources) error {
	if len(files) == 0 {
		return nil
	}
	here, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	var inputs []os.FileInfo
	if info, err := os.Stat(m.Path); err == nil {
		inputs = append(inputs, info)
	}
	for _, p := range files {
		f, err := s.open(p.location)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		inputs = append(inputs, info)
	}
	there, err := os.Stat(s.dir)
	if err != nil {
		return err
	}
	moved := !os.SameFile(here, there)

	taken := map[string]bool{filepath.Base(path): true}
	for _, p := range files {
		if !moved && len(p.changes) == 0 {
			continue
		}
		free := func(name string) (bool, error) {
			info, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
			switch {
			case taken[name]:
				return false, nil
			case errors.Is(err, fs.ErrNotExist):
				return true, nil
			case err != nil:
				return false, err
			}
			for _, in := range inputs {
				if os.SameFile(info, in) {
					return false, nil
				}
			}
			if !overwrite {
				return false, fmt.Errorf("%s: %w", filepath.Join(filepath.Dir(path), name), fs.ErrExist)
			}
			return true, nil
		}
		candidate := filepath.Base(path) + ".data"
		if moved {
			candidate = localName(p.location)
		}
		for n := 2; ; n++ {
			ok, err := free(candidate)
			if err != nil {
				return err
			}
			if ok {
				break
			}
			candidate = filepath.Base(path) + ".data" + strconv.Itoa(n)
		}
		p.target = candidate
		taken[candidate] = true
	}
	return nil
}

// locationEdits makes the tensors refer to where the file goes.
func (p *payloadFile) locationEdits(file []byte) []edit {
	if p.target == "" || p.target == localName(p.location) {
		return nil
	}
	var edits []edit
	for _, t := range p.tensors {
		for _, f := range locationFields(file, t) {
			edits = append(edits, edit{f, f.start, f.end, []byte(p.target)})
		}
	}
	return edits
}

// locationFields are the strings of a TensorProto that name its payload file.
func locationFields(file []byte, tensor *message) []*message {
	var found []*message
	for _, entry := range all(tensorExternal, tensor) {
		if entry.text(file, 1) != "location" {
			continue
		}
		for f := range fields(file, entry.start, entry.end) {
			if f.num == 2 {
				// As a message without parts, so that its own length is put right.
				found = append(found, &message{field: f, parent: entry})
			}
		}
	}
	return found
}

// write copies the payload file with the changes made.
func (p *payloadFile) write(to *os.File, s *sources) error {
	from, err := s.open(p.location)
	if err != nil {
		return err
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	for _, c := range p.changes {
		if _, err := to.WriteAt(c.bytes, c.offset); err != nil {
			return err
		}
	}
	return nil
}
