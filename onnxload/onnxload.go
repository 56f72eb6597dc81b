// Package onnxload reads ONNX models: bytes become a validated Model whose
// parameters have roles, and the Model becomes a graph of operations that can
// be run and trained.
//
// Open and Parse do the first half. They trust nothing in the file: a length, a
// shape or a name that does not fit is a FormatError that says where. What they
// return is plain data. Model.Lower does the second half, for a batch size and
// for training or inference, and reports everything that it does not support at
// once, as an UnsupportedError.
//
// The walk over the graph is done by onnx-go, behind a skeleton of the model
// that holds names only; see skeleton.go for the reason.
package onnxload

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// Open reads the model at path. External data is looked for in the folder that
// the model lies in. The error is a *FormatError if the file is not a model.
func Open(path string) (*Model, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, withPath(err, path)
	}
	m, err := Parse(b, filepath.Dir(path))
	if err != nil {
		return nil, withPath(err, path)
	}
	m.Path = path
	return m, nil
}

// Parse reads a model from memory and keeps b. External data is looked for in
// dir; if that is empty, a model with external data is an error.
func Parse(b []byte, dir string) (*Model, error) {
	proto, err := decode(b)
	if err != nil {
		return nil, err
	}
	m := &Model{Bytes: b, Proto: proto, lifts: new(sync.Map)}
	m.readVersions()
	if err := checkGraph(proto.Graph); err != nil {
		return nil, err
	}
	order, err := executionOrder(proto.Graph.Node)
	if err != nil {
		return nil, err
	}
	operations, err := walk(proto.Graph, order)
	if err != nil {
		return nil, err
	}
	r := newTensorReader(len(b), dir)
	defer r.close()
	if err := m.readInitializers(r); err != nil {
		return nil, err
	}
	if err := m.readNodes(operations, r); err != nil {
		return nil, err
	}
	m.readValues()
	m.readParams()
	return m, nil
}

// maxFile is the limit of a protobuf message. Larger models keep their weights
// in files of their own.
const maxFile = 1<<31 - 1

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &FormatError{What: "is a folder", Hint: "give the .onnx file in it"}
	case info.Size() > maxFile:
		return nil, &FormatError{What: "is larger than 2 GiB, the limit of the format", Hint: "larger models keep their weights as external data"}
	}
	if !info.Mode().IsRegular() {
		return os.ReadFile(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, info.Size())
	var failed atomic.Pointer[error]
	inParts(len(b), func(from, to int) {
		if _, err := f.ReadAt(b[from:to], int64(from)); err != nil {
			failed.Store(&err)
		}
	})
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return b, nil
}

// newestIR is the newest version of the file format that onnx.proto describes.
const newestIR = 14

// readVersions collects the operator sets, and warns of what is newer than us.
func (m *Model) readVersions() {
	if v := m.Proto.GetIrVersion(); v > newestIR {
		m.warn("the file format is IR version %d, newer than the %d known here; what is new in it is ignored", v, newestIR)
	}
	if len(m.Proto.TrainingInfo) > 0 {
		m.warn("the training algorithm that the file brings along is ignored")
	}
	m.Opsets = make(map[string]int64)
	for _, o := range m.Proto.OpsetImport {
		domain := canonical(o.GetDomain())
		m.Opsets[domain] = max(m.Opsets[domain], o.GetVersion())
	}
	for _, domain := range slices.Sorted(maps.Keys(m.Opsets)) {
		if d, known := domains[domain]; known && m.Opsets[domain] > d.newest {
			m.warn("the file is written for opset %d of %s, newer than the %d known here; operators are taken to be as they were",
				m.Opsets[domain], cmp.Or(domain, "ai.onnx"), d.newest)
		}
	}
	if m.Opsets[""] == 0 {
		m.Opsets[""] = 1
		m.warn("the file does not say which opset it is written for; taken as 1")
	}
}

// canonical is the name of an operator domain; ONNX's own has two.
func canonical(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// readInitializers decodes the tensors that the graph lists.
func (m *Model) readInitializers(r *tensorReader) error {
	m.Tensors = make(map[string]*Tensor)
	for i, p := range m.Proto.Graph.Initializer {
		t, err := r.dense(p)
		if err != nil {
			return inside(initializer(p.GetName()), err)
		}
		t.At.Index = i
		m.Tensors[t.Name] = t
	}
	for i, p := range m.Proto.Graph.SparseInitializer {
		t, err := r.sparse(p)
		if err != nil {
			return inside(initializer(p.GetValues().GetName()), err)
		}
		t.At.Index = i
		m.Tensors[t.Name] = t
	}
	return nil
}

// readNodes turns the walked operations into nodes, and Constant nodes into
// tensors.
func (m *Model) readNodes(operations []operation, r *tensorReader) error {
	budget := maxInlined
	reader := nodeReader{tensors: r, opsets: m.Opsets, functions: functionsOf(m.Proto), budget: &budget}
	for _, o := range operations {
		p := m.Proto.Graph.Node[o.index]
		var err error
		if m.Nodes, err = reader.read(m.Nodes, m.Tensors, p, o.index); err != nil {
			return err
		}
	}
	return nil
}
