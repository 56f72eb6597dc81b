// Package export writes a trained model back to a file.
//
// The output is the input file with the payloads of the parameters that have
// changed replaced, and nothing else: node names, opsets, shapes, unknown
// fields and the order of everything stay, byte for byte. A model that was not
// changed is written as it was read. A parameter keeps its element type
// (float16, bfloat16 and float64 are rounded to nearest, ties to even; weights that
// are stored as integers, to the nearest of those that their scale allows) and the
// field it was in: raw_data, float_data, an attribute of a Constant node.
//
// Payloads may lie in files of their own (ONNX external data). Such a file is
// written anew, beside the output, if it holds anything that has changed, and
// copied if the output goes to another folder than the input's. It keeps its
// name in another folder; in the same one it is called after the output, with
// ".data" appended (then ".data2", …), and the model's references to it are
// changed. Files of the input are never overwritten by payloads.
//
// Write appears to happen at once: on failure there is no output and no part of
// one. Verify reads the result back and compares every byte.
package export

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"finetune/onnxload"
)

// Options are the choices in writing.
type Options struct {
	// Metadata is added to the model's metadata_props, each key prefixed with
	// MetadataPrefix, in place of all entries that have the prefix. If nil, the
	// model's metadata stays as it is.
	Metadata map[string]string

	// Overwrite allows to replace files that exist, the input among them.
	Overwrite bool
}

// Report says what was written.
type Report struct {
	Files  []string // the model, then its payload files
	Params []ParamReport
}

// ParamReport is one parameter of the model, trained or not.
type ParamReport struct {
	Name     string
	Role     string
	Op       string
	Layer    string
	Shape    []int
	DType    string
	Elements int
	Zeros    int // elements that are 0 in the file, after rounding to DType
	WasZero  int // elements that are 0 in the input file
	Changed  int // elements that differ from the input file
}

// maxMessage is the size limit of a protobuf message.
const maxMessage = math.MaxInt32

// Write writes m with the present values of its parameters to path.
func Write(path string, m *onnxload.Model, opt Options) (report Report, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write %s: %w", path, err)
		}
	}()
	if _, err := os.Lstat(path); err == nil && !opt.Overwrite {
		return report, fs.ErrExist
	}
	in := newSources(m.Path)
	defer in.close()

	out, payloads, params, err := patch(path, m, opt, in)
	if err != nil {
		return report, err
	}
	if len(out) > maxMessage {
		return report, errors.New("the model would be larger than 2 GiB, the limit of the format; keep its weights as external data")
	}
	if _, err := compareModel(m, out, in); err != nil {
		return report, fmt.Errorf("internal error, nothing was written: %w", err)
	}

	var stage staging
	defer stage.abort()
	for _, p := range payloads {
		target := filepath.Join(filepath.Dir(path), filepath.FromSlash(p.target))
		if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
			return report, err
		}
		f, err := stage.create(target)
		if err != nil {
			return report, err
		}
		if err := p.write(f, in); err != nil {
			return report, err
		}
		report.Files = append(report.Files, target)
	}
	f, err := stage.create(path)
	if err != nil {
		return report, err
	}
	if _, err := f.Write(out); err != nil {
		return report, err
	}
	if err := stage.commit(); err != nil {
		return report, err
	}
	report.Files = append([]string{path}, report.Files...)
	report.Params = params
	return report, nil
}

// patch is the file to write and the payload files to write beside it.
func patch(path string, m *onnxload.Model, opt Options, in *sources) ([]byte, []*payloadFile, []ParamReport, error) {
	fail := func(err error) ([]byte, []*payloadFile, []ParamReport, error) { return nil, nil, nil, err }
	root, err := readModel(m.Bytes)
	if err != nil {
		return fail(err)
	}
	weights, err := findWeights(m, m.Bytes, root)
	if err != nil {
		return fail(err)
	}
	external, err := payloadFiles(m.Bytes, root)
	if err != nil {
		return fail(err)
	}
	byName := map[string]*payloadFile{}
	for _, p := range external {
		byName[localName(p.location)] = p
	}

	var edits []edit
	var params []ParamReport
	for _, w := range weights {
		old, now, changed, err := w.update(m, in)
		if err != nil {
			return fail(err)
		}
		params = append(params, w.report(m, old, now, changed))
		switch {
		case changed == 0:
		case w.outside != nil:
			p := byName[localName(w.outside.name)]
			p.changes = append(p.changes, change{w.outside.offset, now})
		default:
			edits = append(edits, w.edits(m.Bytes, old, now)...)
		}
	}
	if err := place(external, m, path, opt.Overwrite, in); err != nil {
		return fail(err)
	}
	var written []*payloadFile
	for _, p := range external {
		if p.target != "" {
			edits = append(edits, p.locationEdits(m.Bytes)...)
			written = append(written, p)
		}
	}
	if opt.Metadata != nil {
		edits = append(edits, metadataEdits(m.Bytes, root, opt.Metadata)...)
	}
	return apply(m.Bytes, edits), written, params, nil
}

// report describes w, whose payload was old and is now.
func (w weight) report(m *onnxload.Model, old, now []byte, changed int) ParamReport {
	p := m.Params[w.index]
	return ParamReport{
		Name: p.Name, Role: string(p.Role), Op: p.Op, Layer: p.Layer, Shape: p.Shape, DType: w.name,
		Elements: len(p.Value), Zeros: w.zeros(m, now), WasZero: w.zeros(m, old), Changed: changed,
	}
}

// zeros counts the elements that are 0 in a payload. Of a sparse one that is all
// that are not stored, too.
func (w weight) zeros(m *onnxload.Model, stored []byte) int {
	p := m.Params[w.index]
	q := m.Quantization(p)
	n := len(p.Value) - len(stored)/w.size
	for i := 0; len(stored) > 0; i, stored = i+1, stored[w.size:] {
		zero := float32(0)
		if q != nil {
			zero = q.Zero(i)
		}
		if w.load(stored) == zero {
			n++
		}
	}
	return n
}
