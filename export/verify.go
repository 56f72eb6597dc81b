package export

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"finetune/onnxload"
	"finetune/optim"
)

// Verification says what Verify has compared.
type Verification struct {
	Params    int   // parameters of the model, all equal to what was trained
	Changed   int   // those that differ from the input file
	Identical int64 // bytes outside of the changed parameters, of our metadata, and of the lengths around them: all as in the input
	Replaced  int64 // bytes of changed parameters

	// Difference is the largest difference between the outputs of the model that
	// was read back and those of m, on random inputs, as a share of the largest
	// element. It is 0 but for the rounding to 16-bit types. NaN says that the
	// model was not run, as it has operators that are not supported or sizes that
	// it leaves open.
	Difference float64
}

// tolerance is what Difference may be where weights are not rounded.
const tolerance = 1e-4

// Verify reads the file at path, which Write made of m, and its payload files,
// and compares them with m's file: each parameter has to be what m holds,
// rounded to its type in the file, and each byte outside of those that changed
// has to be the input's. That includes the bytes of payload files. Only entries
// of our own metadata, the names of payload files, and the lengths of the
// messages around all these may differ besides. The file also has to load, and to
// compute what m computes.
func Verify(m *onnxload.Model, path string) (Verification, error) {
	v, err := verify(m, path)
	if err != nil {
		return v, fmt.Errorf("%s is not what was to be written: %w", path, err)
	}
	return v, nil
}

func verify(m *onnxload.Model, path string) (Verification, error) {
	was, is := newSources(m.Path), newSources(path)
	defer was.close()
	defer is.close()
	file, err := os.ReadFile(path)
	if err != nil {
		return Verification{}, err
	}
	v, err := compareModel(m, file, was)
	if err != nil {
		return v, err
	}
	if err := comparePayloads(m, file, was, is, &v); err != nil {
		return v, err
	}
	again, err := onnxload.Open(path)
	if err != nil {
		return v, err
	}
	if err := compareParams(m, again); err != nil {
		return v, err
	}
	v.Difference, err = m.CompareOutputs(again, onnxload.Config{Batch: max(1, m.BatchDim())})
	if err != nil {
		v.Difference = math.NaN()
	}
	if v.Difference > tolerance && !rounded(m) {
		return v, fmt.Errorf("its outputs differ from the trained model's by %g of the largest", v.Difference)
	}
	return v, nil
}

// rounded reports whether weights lose digits in the file.
func rounded(m *onnxload.Model) bool {
	return slices.ContainsFunc(m.Params, func(p *optim.Param) bool {
		return p.DType == string(onnxload.Float16) || p.DType == string(onnxload.BFloat16)
	})
}

// compareModel compares a file made of m's with it, as far as it goes without
// payload files. was reads those of m.
func compareModel(m *onnxload.Model, file []byte, was *sources) (Verification, error) {
	var v Verification
	before, err := readModel(m.Bytes)
	if err != nil {
		return v, err
	}
	after, err := readModel(file)
	if err != nil {
		return v, err
	}
	old, err := findWeights(m, m.Bytes, before)
	if err != nil {
		return v, err
	}
	now, err := findWeights(m, file, after)
	if err != nil {
		return v, err
	}

	var cutBefore, cutAfter cuts
	for i, w := range old {
		have, want, changed, err := w.update(m, was)
		if err != nil {
			return v, err
		}
		v.Params++
		if changed == 0 {
			continue
		}
		v.Changed++
		v.Replaced += int64(len(want))
		if w.outside != nil {
			continue
		}
		codes := w.expectedCodes(m.Bytes, have, want)
		if got := now[i].raw(file); now[i].name != w.name || !bytes.Equal(got, want) || !slices.Equal(now[i].codes(file), codes) {
			return v, fmt.Errorf("parameter %q differs", m.Params[w.index].Name)
		}
		cutBefore.payload(w.payload)
		cutAfter.payload(now[i].payload)
	}
	cutBefore.rest(m.Bytes, before)
	cutAfter.rest(file, after)

	keptBefore, keptAfter := cutBefore.apply(m.Bytes), cutAfter.apply(file)
	if !bytes.Equal(keptBefore, keptAfter) {
		n := 0
		for n < min(len(keptBefore), len(keptAfter)) && keptBefore[n] == keptAfter[n] {
			n++
		}
		return v, fmt.Errorf("the bytes outside of the parameters differ, from number %d of %d on", n, len(keptBefore))
	}
	v.Identical = int64(len(keptBefore))
	return v, nil
}

// expectedCodes are the codes of have, in the file, with those of the elements that
// changed to want replaced.
func (p *payload) expectedCodes(file, have, want []byte) []uint64 {
	codes := p.codes(file)
	for i := range codes {
		if !bytes.Equal(want[:p.size], have[:p.size]) {
			codes[i] = p.varint(want)
		}
		have, want = have[p.size:], want[p.size:]
	}
	return codes
}

// cuts are the stretches of a file that may differ.
type cuts []field

// around adds the lengths of m and of the messages around it.
func (c *cuts) around(m *message) {
	for ; m.parent != nil; m = m.parent {
		*c = append(*c, field{start: m.lenAt, end: m.start})
	}
}

// payload adds the elements of a parameter.
func (c *cuts) payload(p *payload) {
	for _, f := range p.fixed {
		if p.single {
			f.start = f.tag // the field is new if its number was 0
		}
		*c = append(*c, f)
	}
	for _, f := range p.varints {
		*c = append(*c, field{start: f.lenAt, end: f.end})
	}
	c.around(p.in)
}

// rest adds our metadata and the names of payload files.
func (c *cuts) rest(file []byte, root *message) {
	for _, m := range ourMetadata(file, root) {
		*c = append(*c, field{start: m.tag, end: m.end})
	}
	for _, t := range externalTensors(file, root) {
		for _, f := range locationFields(file, t) {
			*c = append(*c, field{start: f.start, end: f.end})
			c.around(f)
		}
	}
}

// apply is what is left of the file.
func (c cuts) apply(file []byte) []byte {
	slices.SortFunc(c, func(a, b field) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	kept := make([]byte, 0, len(file))
	at := 0
	for _, f := range c {
		if f.start > at {
			kept = append(kept, file[at:f.start]...)
		}
		at = max(at, f.end)
	}
	return append(kept, file[at:]...)
}

// comparePayloads compares the payload files of m, which was reads, with those
// of the file made of it, which is reads.
func comparePayloads(m *onnxload.Model, file []byte, was, is *sources, v *Verification) error {
	before, err := readModel(m.Bytes)
	if err != nil {
		return err
	}
	after, err := readModel(file)
	if err != nil {
		return err
	}
	files, err := payloadFiles(m.Bytes, before)
	if err != nil {
		return err
	}
	written, err := payloadFiles(file, after)
	if err != nil {
		return err
	}
	if len(files) != len(written) {
		return fmt.Errorf("it refers to %d payload files, want %d", len(written), len(files))
	}
	byName := map[string]*payloadFile{}
	for _, p := range files {
		byName[localName(p.location)] = p
	}
	weights, err := findWeights(m, m.Bytes, before)
	if err != nil {
		return err
	}
	for _, w := range weights {
		if w.outside == nil {
			continue
		}
		_, now, changed, err := w.update(m, was)
		if err != nil {
			return err
		}
		if changed > 0 {
			p := byName[localName(w.outside.name)]
			p.changes = append(p.changes, change{w.outside.offset, now})
		}
	}
	for i, p := range files {
		n, err := p.compare(written[i], was, is)
		if err != nil {
			return err
		}
		v.Identical += n
	}
	return nil
}

// compare compares a payload file with what was written of it, and returns the
// number of bytes outside of the changes.
func (p *payloadFile) compare(written *payloadFile, was, is *sources) (int64, error) {
	a, err := was.open(p.location)
	if err != nil {
		return 0, err
	}
	b, err := is.open(written.location)
	if err != nil {
		return 0, err
	}
	if _, err := a.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if _, err := b.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	slices.SortFunc(p.changes, func(a, b change) int { return cmp.Compare(a.offset, b.offset) })
	want, got := make([]byte, 1<<16), make([]byte, 1<<16)
	var at, identical int64
	for {
		n, err := io.ReadFull(a, want)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, err
		}
		k, _ := io.ReadFull(b, got)
		identical += int64(n)
		for _, c := range p.changes {
			lo, hi := max(c.offset, at), min(c.offset+int64(len(c.bytes)), at+int64(n))
			if lo < hi {
				copy(want[lo-at:hi-at], c.bytes[lo-c.offset:])
				identical -= hi - lo
			}
		}
		if !bytes.Equal(want[:n], got[:k]) {
			return 0, fmt.Errorf("payload file %q differs from %q", written.location, p.location)
		}
		if n < len(want) {
			return identical, nil
		}
		at += int64(n)
	}
}

// compareParams compares the parameters of m, rounded, with those of the model
// that was read back.
func compareParams(m, again *onnxload.Model) error {
	if len(m.Params) != len(again.Params) {
		return fmt.Errorf("it has %d parameters, want %d", len(again.Params), len(m.Params))
	}
	for i, p := range m.Params {
		q := again.Params[i]
		if p.Name != q.Name || p.DType != q.DType || !slices.Equal(p.Shape, q.Shape) || len(p.Value) != len(q.Value) {
			return fmt.Errorf("parameter %q is %s %v, want %q %s %v", q.Name, q.DType, q.Shape, p.Name, p.DType, p.Shape)
		}
		f, ok := formatNamed(p.DType)
		if !ok {
			return fmt.Errorf("parameter %q has elements of type %s", p.Name, p.DType)
		}
		value := p.Value
		if q := m.Quantization(p); q != nil {
			value = q.Weights(q.Codes(value))
			f, _ = formatNamed("float32")
		}
		for k, v := range value {
			if want := f.round(v); !same(q.Value[k], want) {
				return fmt.Errorf("parameter %q: element %d is %g, want %g", p.Name, k, q.Value[k], want)
			}
		}
	}
	return nil
}
