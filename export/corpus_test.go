package export

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"finetune/internal/corpus"
	"finetune/internal/onnxpb"
	"finetune/onnxload"
)

// models calls f with every model file below a folder of the corpus.
func models(t *testing.T, folder string, f func(path string, file []byte)) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(corpus.Path(t, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".onnx" {
			return err
		}
		file, err := os.ReadFile(path)
		if err == nil {
			n++
			f(path, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatalf("no models in %s", folder)
	}
}

// Each file of the corpus survives two things that touch it everywhere: every
// message's length written anew, and our metadata added and taken away.
func TestEditsOfEveryFile(t *testing.T) {
	for _, folder := range []string{"models", "onnx-backend"} {
		models(t, folder, func(path string, file []byte) {
			root, err := readModel(file)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			// A field that nobody knows, put into every message and taken out again.
			unknown := protowire.AppendString(protowire.AppendTag(nil, 9999, protowire.BytesType), strings.Repeat("?", 300))
			grown := apply(file, insertions(root, unknown))
			again, err := readModel(grown)
			if err != nil {
				t.Errorf("%s: grown: %v", path, err)
				return
			}
			if got := apply(grown, removals(grown, again, 9999)); !bytes.Equal(got, file) {
				t.Errorf("%s: not as before after lengths grew and shrank", path)
			}
			var m onnxpb.ModelProto
			if err := proto.Unmarshal(grown, &m); err != nil {
				t.Errorf("%s: grown: %v", path, err)
			}

			with := apply(file, metadataEdits(file, root, map[string]string{"seed": "1"}))
			if err := proto.Unmarshal(with, &m); err != nil {
				t.Errorf("%s: with metadata: %v", path, err)
			}
			if props := m.MetadataProps; len(props) == 0 || props[len(props)-1].GetKey() != "finetune.seed" {
				t.Errorf("%s: got metadata %v, want finetune.seed at the end", path, props)
			}
			if again, err = readModel(with); err != nil {
				t.Errorf("%s: with metadata: %v", path, err)
				return
			}
			if got := apply(with, metadataEdits(with, again, nil)); !bytes.Equal(got, file) {
				t.Errorf("%s: not as before after metadata came and went", path)
			}
		})
	}
}

// insertions put a field at the end of every message.
func insertions(m *message, field []byte) []edit {
	edits := []edit{{m, m.end, m.end, field}}
	if m.kind == entryProto || m.kind == tensorProto && len(m.parts) == 0 {
		edits = nil // enough are grown by what is in them
	}
	var inner []edit
	for _, part := range m.parts {
		inner = append(inner, insertions(part, field)...)
	}
	return append(inner, edits...)
}

// removals drop a field from every message.
func removals(file []byte, m *message, num protowire.Number) []edit {
	var edits []edit
	for f := range fields(file, m.start, m.end) {
		if f.num == num {
			edits = append(edits, edit{m, f.tag, f.end, nil})
		}
	}
	for _, part := range m.parts {
		edits = append(edits, removals(file, part, num)...)
	}
	return edits
}

// Every model that loads: written as it is, it is the same; with other weights,
// the generated bindings find those weights and nothing else changed.
func TestWeightsOfEveryFile(t *testing.T) {
	loaded, weights := 0, 0
	for _, folder := range []string{"models", "onnx-backend"} {
		models(t, folder, func(path string, file []byte) {
			m, err := onnxload.Parse(file, filepath.Dir(path))
			if err != nil {
				return // onnxload's tests say which these are
			}
			loaded++
			in := newSources(path)
			defer in.close()
			out := filepath.Join(t.TempDir(), "out.onnx")
			got, _, _, err := patch(out, m, Options{}, in)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			if !bytes.Equal(got, file) {
				t.Errorf("%s: an unchanged model was not written as it was", path)
			}
			if len(m.Params) == 0 {
				return
			}
			train(m)
			if got, _, _, err = patch(out, m, Options{}, in); err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			v, err := compareModel(m, got, in)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			weights += v.Changed
			again, err := onnxload.Parse(got, filepath.Dir(path))
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			if err := compareParams(m, again); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			sameBesides(t, m.Proto, again.Proto)
		})
	}
	t.Logf("%d files load, %d weights were changed", loaded, weights)
	if loaded < 1500 || weights < 500 {
		t.Errorf("got %d files and %d weights, want most of the corpus", loaded, weights)
	}
}

// Real models through real files.
func TestWriteRealModels(t *testing.T) {
	for _, name := range []string{"mnist-8", "mnist-12", "squeezenet_fp16", "bert_toy_torch11", "mnist_cnn_torch11"} {
		m, err := onnxload.Open(corpus.Path(t, "models/"+name+".onnx"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		train(m)
		path := filepath.Join(t.TempDir(), "out.onnx")
		write(t, path, m, Options{Metadata: map[string]string{"base": name}})
		v := verified(t, m, path)
		if v.Changed == 0 || v.Identical == 0 {
			t.Errorf("%s: got %+v", name, v)
		}
	}
}
