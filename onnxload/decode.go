package onnxload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// maxDepth bounds messages within messages. A subgraph inside a subgraph takes
// three levels; real models have two or three of those.
const maxDepth = 300

// decode reads the protobuf message, or says what b is instead. It looks at how
// the file begins only when it must: any four bytes may begin a model as well.
func decode(b []byte) (*onnxpb.ModelProto, error) {
	m, err := unmarshalModel(b)
	if err == nil && m.Graph != nil {
		return m, nil
	}
	if err := foreign(b); err != nil {
		return nil, err
	}
	if _, ok := elementOf(tensorType(b)); ok {
		return nil, &FormatError{What: "holds a single tensor, not a model", Hint: "test data for ONNX models looks like this"}
	}
	if short := truncated(b); short != nil {
		return nil, short
	}
	if err != nil {
		return nil, &FormatError{What: "not an ONNX file, or a damaged one"}
	}
	return nil, &FormatError{What: "holds no graph; it is not an ONNX model"}
}

// tensorType is the element type if b is a tensor by itself.
func tensorType(b []byte) int32 {
	var t onnxpb.TensorProto
	if proto.Unmarshal(b, &t) != nil || len(t.RawData)+typedLen(&t) == 0 {
		return 0
	}
	return t.GetDataType()
}

// truncated is the error for a message whose last field is longer than what is
// left of the file, or nil.
func truncated(b []byte) error {
	for at := 0; at < len(b); {
		num, typ, n := protowire.ConsumeTag(b[at:])
		if n < 0 || num > 100 {
			return nil
		}
		at += n
		if typ == protowire.BytesType {
			size, n := protowire.ConsumeVarint(b[at:])
			if left := len(b) - at - n; n > 0 && size > uint64(left) {
				return &FormatError{
					What: fmt.Sprintf("is cut off: a part of %d bytes begins at byte %d and only %d are there", size, at+n, left),
					Hint: "download or copy it again",
				}
			}
		}
		if n = protowire.ConsumeFieldValue(num, typ, b[at:]); n < 0 {
			return nil
		}
		at += n
	}
	return nil
}

// foreign recognises other kinds of files by how they begin.
func foreign(b []byte) error {
	is := func(prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
	head := bytes.ToLower(bytes.TrimSpace(b[:min(len(b), 512)]))
	text := func(prefix string) bool { return bytes.HasPrefix(head, []byte(prefix)) }
	fail := func(what, hint string) error { return &FormatError{What: what, Hint: hint} }
	switch {
	case len(b) == 0:
		return fail("is empty", "")
	case is("version https://git-lfs.github.com/spec/"):
		return fail("is a Git LFS pointer, not the model itself", "run `git lfs pull` where it came from, or download the file again")
	case is("PK\x03\x04"):
		start := b[:min(len(b), 4096)]
		switch {
		case bytes.Contains(start, []byte("/data.pkl")), bytes.Contains(start, []byte("constants.pkl")):
			return fail("is a PyTorch file", "export it with torch.onnx.export")
		case bytes.Contains(start, []byte("metadata.json")) && bytes.Contains(start, []byte("config.json")):
			return fail("is a Keras file", "convert it with tf2onnx")
		case bytes.Contains(start, []byte(".npy")):
			return fail("is a NumPy archive (.npz), not a model", "")
		}
		return fail("is a zip archive", "unpack it first; a PyTorch model is exported with torch.onnx.export")
	case is("\x80\x02"), is("\x80\x03"), is("\x80\x04"), is("\x80\x05"):
		return fail("is a Python pickle", "a PyTorch or scikit-learn model is exported with torch.onnx.export or skl2onnx")
	case is("\x89HDF\r\n\x1a\n"):
		return fail("is an HDF5 file, such as Keras writes", "convert it with tf2onnx")
	case is("\x1f\x8b"):
		return fail("is compressed with gzip", "unpack it first")
	case is("GGUF"):
		return fail("is a GGUF file", "GGUF holds weights without a graph; an ONNX export is needed")
	case is("\x93NUMPY"):
		return fail("is a NumPy array (.npy), not a model", "")
	case len(b) >= 8 && string(b[4:8]) == "TFL3":
		return fail("is a TensorFlow Lite file", "convert it with tf2onnx --tflite")
	case len(b) >= 8 && string(b[4:8]) == "ORTM":
		return fail("is in ONNX Runtime's own format", "use the .onnx file that it was made from")
	case safetensors(b):
		return fail("is a safetensors file", "safetensors holds weights without a graph; an ONNX export is needed")
	case text("<!doctype html"), text("<html"):
		return fail("is a web page", "a download link probably led to a page about the model")
	case text("<?xml"):
		return fail("is an XML file", "")
	case isText(b):
		return fail(fmt.Sprintf("is a text file that begins with %q", b[:min(len(b), 32)]), "")
	}
	return nil
}

// safetensors begins with the length of its header, which is JSON.
func safetensors(b []byte) bool {
	return len(b) > 9 && binary.LittleEndian.Uint64(b) <= uint64(len(b)-8) && b[8] == '{' && (b[9] == '"' || b[9] == '}')
}

// isText reports whether the file begins with nothing but printable characters.
// The first byte of a model is a control character.
func isText(b []byte) bool {
	b = b[:min(len(b), 256)]
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n < 2 && len(b) >= utf8.UTFMax {
			return false
		}
		if r != utf8.RuneError && !unicode.IsPrint(r) && !unicode.IsSpace(r) && r != '\ufeff' {
			return false
		}
		b = b[n:]
	}
	return true
}
