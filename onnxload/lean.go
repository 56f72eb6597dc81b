package onnxload

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// Decoding protobuf copies every payload. Nearly all of a model are the raw_data
// of its initializers, so those are cut out before and put back as what they are:
// parts of the file.

// unmarshalModel decodes b. RawData of initializers is a part of b, and is not to
// be written to.
func unmarshalModel(b []byte) (*onnxpb.ModelProto, error) {
	m := new(onnxpb.ModelProto)
	var c cutter
	lean, ok := c.copy(b, 0)
	if !ok {
		lean, c.raw = b, nil // the decoder knows what is wrong
	}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(lean, m); err != nil {
		return m, err
	}
	for i, raw := range c.raw {
		if raw != nil {
			m.Graph.Initializer[i].RawData = raw[:len(raw):len(raw)]
		}
	}
	return m, nil
}

// pathToRaw are the fields that lead from a model to raw_data: graph and
// initializer come before it.
var pathToRaw = [...]protowire.Number{7, 5, 9}

// cutter copies a model without the raw_data of its initializers.
type cutter struct {
	raw [][]byte // of each initializer, in order; nil where there is none
}

// copy copies a message that is so many steps down the path. It returns false if
// the message is damaged.
func (c *cutter) copy(b []byte, depth int) ([]byte, bool) {
	var out []byte
	for len(b) > 0 {
		num, typ, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return nil, false
		}
		size := protowire.ConsumeFieldValue(num, typ, b[tag:])
		if size < 0 {
			return nil, false
		}
		field := b[:tag+size]
		b = b[len(field):]
		if num != pathToRaw[depth] || typ != protowire.BytesType {
			out = append(out, field...)
			continue
		}
		value, _ := protowire.ConsumeBytes(field[tag:])
		if depth == len(pathToRaw)-1 {
			c.raw[len(c.raw)-1] = value
			continue
		}
		if depth == len(pathToRaw)-2 {
			c.raw = append(c.raw, nil)
		}
		inner, ok := c.copy(value, depth+1)
		if !ok {
			return nil, false
		}
		out = protowire.AppendBytes(protowire.AppendTag(out, num, typ), inner)
	}
	return out, true
}
