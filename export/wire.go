package export

import (
	"fmt"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
)

// kind is the type of a protobuf message of ONNX, as far as tensors can be
// inside it.
type kind int

const (
	leaf kind = iota // a field that is not looked into
	modelProto
	trainingInfoProto
	functionProto
	graphProto
	nodeProto
	attributeProto
	tensorProto
	sparseTensorProto
	entryProto // StringStringEntryProto
)

// inside lists the fields that hold messages: the numbers are those of the
// ONNX schema (onnx.proto).
var inside = map[kind]map[protowire.Number]kind{
	modelProto:        {7: graphProto, 14: entryProto, 20: trainingInfoProto, 25: functionProto},
	trainingInfoProto: {1: graphProto, 2: graphProto},
	functionProto:     {7: nodeProto, 11: attributeProto},
	graphProto:        {1: nodeProto, 5: tensorProto, 15: sparseTensorProto},
	nodeProto:         {5: attributeProto},
	attributeProto:    {5: tensorProto, 6: graphProto, 10: tensorProto, 11: graphProto, 22: sparseTensorProto, 23: sparseTensorProto},
	tensorProto:       {13: entryProto},
	sparseTensorProto: {1: tensorProto, 2: tensorProto},
}

// field is one field of a message, by its place in the file.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	tag   int // where it begins
	lenAt int // where its length begins; start where it has none
	start int // its value
	end   int
}

// message is a field that is a message, and what lies in it.
type message struct {
	field
	kind   kind
	parent *message // nil for the model
	parts  []*message
}

// readModel finds the messages of a file.
func readModel(file []byte) (*message, error) {
	m := &message{field: field{end: len(file)}, kind: modelProto}
	return m, m.read(file)
}

func (m *message) read(file []byte) error {
	for f, err := range fields(file, m.start, m.end) {
		if err != nil {
			return err
		}
		if k := inside[m.kind][f.num]; k != leaf && f.typ == protowire.BytesType {
			part := &message{field: f, kind: k, parent: m}
			if err := part.read(file); err != nil {
				return err
			}
			m.parts = append(m.parts, part)
		}
	}
	return nil
}

// all are the messages in m that are the field num, in order. A message that is
// split into several pieces means, in protobuf, their sum; so m may be several.
func all(num protowire.Number, in ...*message) []*message {
	var found []*message
	for _, m := range in {
		for _, part := range m.parts {
			if part.num == num {
				found = append(found, part)
			}
		}
	}
	return found
}

// fields runs through the fields of file[start:end].
func fields(file []byte, start, end int) iter.Seq2[field, error] {
	return func(yield func(field, error) bool) {
		for at := start; at < end; {
			num, typ, n := protowire.ConsumeTag(file[at:end])
			if n < 0 {
				yield(field{}, fmt.Errorf("byte %d: %w", at, protowire.ParseError(n)))
				return
			}
			f := field{num: num, typ: typ, tag: at, lenAt: at + n, start: at + n}
			n = protowire.ConsumeFieldValue(num, typ, file[f.start:end])
			if n < 0 {
				yield(field{}, fmt.Errorf("byte %d: %w", at, protowire.ParseError(n)))
				return
			}
			f.end = f.start + n
			if typ == protowire.BytesType {
				_, n = protowire.ConsumeVarint(file[f.start:f.end])
				f.start += n
			}
			if !yield(f, nil) {
				return
			}
			at = f.end
		}
	}
}

// text is the last string field num of m; "" if there is none.
func (m *message) text(file []byte, num protowire.Number) string {
	s := ""
	for f := range fields(file, m.start, m.end) {
		if f.num == num && f.typ == protowire.BytesType {
			s = string(file[f.start:f.end])
		}
	}
	return s
}
