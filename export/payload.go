package export

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"finetune/internal/onnxpb"
)

// payload is where the elements of a tensor lie.
type payload struct {
	format
	in      *message // the tensor, or the attribute that holds bare numbers
	fixed   []field  // stretches of whole elements, in order
	varints []field  // int32_data: 16-bit floats by their bits, integers as they are
	omitted bool     // a number that is 0 by not being in the file
	single  bool     // attribute field 2, a number by itself
	outside *location
}

// location is a payload in a file of its own.
type location struct {
	name   string // as the model spells it
	offset int64
	length int64 // -1 for the rest of the file
}

// Numbers of TensorProto's fields.
const (
	tensorType     = 2
	tensorFloats   = 4
	tensorInt32s   = 5
	tensorRaw      = 9
	tensorDoubles  = 10
	tensorExternal = 13
	tensorLocation = 14
)

// tensorPayload finds the elements of a TensorProto.
func tensorPayload(file []byte, m *message) (*payload, error) {
	p := &payload{in: m}
	var raw field
	var typ, where uint64
	for f, err := range fields(file, m.start, m.end) {
		if err != nil {
			return nil, err
		}
		switch {
		case f.num == tensorType && f.typ == protowire.VarintType:
			typ, _ = protowire.ConsumeVarint(file[f.start:f.end])
		case f.num == tensorLocation && f.typ == protowire.VarintType:
			where, _ = protowire.ConsumeVarint(file[f.start:f.end])
		case f.num == tensorRaw && f.typ == protowire.BytesType:
			raw = f
		case f.num == tensorFloats, f.num == tensorDoubles:
			p.fixed = append(p.fixed, f)
		case f.num == tensorInt32s:
			p.varints = append(p.varints, f)
		}
	}
	var ok bool
	if p.format, ok = formats[onnxpb.TensorProto_DataType(typ)]; !ok {
		return nil, fmt.Errorf("element type %s is not one that is trained", onnxpb.TensorProto_DataType(typ))
	}
	if raw.end > raw.start {
		p.fixed = []field{raw}
	}
	if where == uint64(onnxpb.TensorProto_EXTERNAL) {
		outside, err := tensorLocationOf(file, m)
		if err != nil {
			return nil, err
		}
		p.outside = &outside
	}
	return p, nil
}

// tensorLocationOf reads the external_data entries of a TensorProto.
func tensorLocationOf(file []byte, m *message) (location, error) {
	l := location{length: -1}
	for _, entry := range all(tensorExternal, m) {
		var err error
		value := entry.text(file, 2)
		switch entry.text(file, 1) {
		case "location":
			l.name = value
		case "offset":
			l.offset, err = strconv.ParseInt(value, 10, 64)
		case "length":
			l.length, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return l, fmt.Errorf("external data: %w", err)
		}
	}
	return l, nil
}

// isExternal reports whether a TensorProto's payload is in a file of its own.
func isExternal(file []byte, m *message) bool {
	external := false
	for f := range fields(file, m.start, m.end) {
		if f.num == tensorLocation && f.typ == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(file[f.start:f.end])
			external = v == uint64(onnxpb.TensorProto_EXTERNAL)
		}
	}
	return external
}

// numbersPayload finds the float32 numbers of an attribute: field 2 is one of
// them (value_float), field 7 a list (value_floats).
func numbersPayload(file []byte, m *message, num protowire.Number) (*payload, error) {
	p := &payload{in: m, format: formats[onnxpb.TensorProto_FLOAT], single: num == attributeFloat}
	for f, err := range fields(file, m.start, m.end) {
		if err != nil {
			return nil, err
		}
		if f.num == num {
			if p.single {
				p.fixed = nil // the last one counts
			}
			p.fixed = append(p.fixed, f)
		}
	}
	p.omitted = p.single && len(p.fixed) == 0
	return p, nil
}

// raw copies the elements out of the file, as they would lie in raw_data.
func (p *payload) raw(file []byte) []byte {
	if p.omitted {
		return make([]byte, p.size)
	}
	var b []byte
	for _, f := range p.fixed {
		b = append(b, file[f.start:f.end]...)
	}
	for _, v := range p.codes(file) {
		b = append(b, le.AppendUint32(nil, uint32(v))[:p.size]...)
	}
	return b
}

// codes are the numbers in int32_data, of which the lower bits count.
func (p *payload) codes(file []byte) []uint64 {
	var codes []uint64
	for _, f := range p.varints {
		for at := f.start; at < f.end; {
			v, n := protowire.ConsumeVarint(file[at:f.end])
			if n < 0 {
				return nil // the length will not fit, which is an error
			}
			codes = append(codes, v)
			at += n
		}
	}
	return codes
}

// edits puts new elements, laid out as raw gives them, into the fields that the
// old ones are in. old tells which have changed.
func (p *payload) edits(file, old, raw []byte) []edit {
	if p.omitted {
		with := protowire.AppendTag(nil, attributeFloat, protowire.Fixed32Type)
		return []edit{{p.in, p.in.end, p.in.end, append(with, raw...)}}
	}
	var edits []edit
	for _, f := range p.fixed {
		n := f.end - f.start
		if string(old[:n]) != string(raw[:n]) {
			edits = append(edits, edit{p.in, f.start, f.end, raw[:n]})
		}
		old, raw = old[n:], raw[n:]
	}
	for _, f := range p.varints {
		var with []byte
		changed := false
		for at := f.start; at < f.end; {
			v, n := protowire.ConsumeVarint(file[at:f.end])
			if string(old[:p.size]) != string(raw[:p.size]) {
				with = protowire.AppendVarint(with, p.varint(raw))
				changed = true
			} else {
				with = protowire.AppendVarint(with, v)
			}
			at += n
			old, raw = old[p.size:], raw[p.size:]
		}
		if !changed {
			continue
		}
		in := p.in
		if f.typ == protowire.BytesType { // packed: the field has a length of its own
			in = &message{field: f, parent: p.in}
		}
		edits = append(edits, edit{in, f.start, f.end, with})
	}
	return edits
}

// varint is the first element of raw as it lies in int32_data.
func (p *payload) varint(raw []byte) uint64 {
	switch p.name {
	case "int8", "int16":
		return uint64(int64(p.load(raw)))
	case "int32":
		return uint64(int64(int32(le.Uint32(raw))))
	}
	var v uint64
	for i := range p.size {
		v |= uint64(raw[i]) << (8 * i)
	}
	return v
}
