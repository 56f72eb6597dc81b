package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/maruel/safetensors"
	"github.com/natefinch/atomic"
)

// A checkpoint is one safetensors file: a length, a JSON header, and the bytes of
// the tensors. The header's metadata holds the state of the run as JSON and a
// hash of the tensors, so that the two can neither part nor be damaged unseen.
// In Python:
//
//	with safetensors.safe_open("run.safetensors", "numpy") as f:
//	    weights = {name: f.get_tensor(name) for name in f.keys()}
//	    state = json.loads(f.metadata()["state"])
const (
	checkpointFormat = "finetune checkpoint 1"

	metaFormat = "format"
	metaState  = "state"
	metaHash   = "sha256" // of the bytes after the header, in hexadecimal
)

// Tensor is an array in a checkpoint, row-major: either numbers, in F, or flags,
// in Bool, which are a byte each in the file, 0 or 1. An empty Shape is one
// element.
type Tensor struct {
	Shape []int
	F     []float32
	Bool  []bool
}

// SaveCheckpoint writes tensors, at least one, and state, which is anything that
// becomes JSON and back, to path. A file that is there is replaced as a whole or,
// after an error, left as it was. A copy of the state for people is written
// beside it, under the same name but for the ending .json; nothing reads it.
//
// A tensor whose length is not that of its shape panics.
func SaveCheckpoint(path string, tensors map[string]Tensor, state any) error {
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("%s: the state of the run: %w", path, err)
	}
	file := &safetensors.File{}
	for name, t := range tensors {
		file.Tensors = append(file.Tensors, t.encode(name))
	}
	// Four-byte numbers before single bytes, or they would not be aligned.
	slices.SortFunc(file.Tensors, func(a, b safetensors.Tensor) int {
		if a.DType != b.DType {
			return strings.Compare(string(a.DType), string(b.DType))
		}
		return strings.Compare(a.Name, b.Name)
	})
	hash := hashTensors(file.Tensors)
	file.Metadata = map[string]string{metaFormat: checkpointFormat, metaState: string(text), metaHash: hash}

	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(file.Serialize(w)) }()
	if err := atomic.WriteFile(path, r); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}

	var page bytes.Buffer
	encoder := json.NewEncoder(&page)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(map[string]any{
		"checkpoint": filepath.Base(path), metaHash: hash, metaState: json.RawMessage(text),
	}); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := atomic.WriteFile(statePath(path), &page); err != nil {
		return fmt.Errorf("%s: %w", statePath(path), err)
	}
	return nil
}

// statePath is the copy of a checkpoint's state for people.
func statePath(path string) string { return strings.TrimSuffix(path, ".safetensors") + ".json" }

// CheckpointPlace reports what keeps a checkpoint from being saved at path: a folder
// that is not there, or a file that is something else and would be lost, for a run
// replaces its checkpoint and deletes it in the end.
func CheckpointPlace(path string) error {
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
		return fmt.Errorf("%s: there is no folder %s", path, filepath.Dir(path))
	}
	if err := onlyOurs(path, isCheckpoint); err != nil {
		return err
	}
	return onlyOurs(statePath(path), isState)
}

// onlyOurs reports a file at path that is not ours.
func onlyOurs(path string, ours func(*os.File) bool) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if ours(f) {
			return nil
		}
	}
	return fmt.Errorf("%s: exists, and is no checkpoint", path)
}

// isCheckpoint looks at the header of a file.
func isCheckpoint(f *os.File) bool {
	const most = 1 << 28 // of a header
	var size uint64
	if binary.Read(f, binary.LittleEndian, &size) != nil || size > most {
		return false
	}
	var header struct {
		Metadata map[string]string `json:"__metadata__"`
	}
	return json.NewDecoder(io.LimitReader(f, int64(size))).Decode(&header) == nil && header.Metadata[metaFormat] == checkpointFormat
}

// isState reports whether a file is the copy of a state for people.
func isState(f *os.File) bool {
	var page map[string]json.RawMessage
	return json.NewDecoder(f).Decode(&page) == nil && page["checkpoint"] != nil && page[metaHash] != nil
}

// LoadCheckpoint reads what SaveCheckpoint wrote: the tensors, and the state into
// what the pointer state points to. It checks every size and the hash.
func LoadCheckpoint(path string, state any) (map[string]Tensor, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tensors, err := decodeCheckpoint(raw, state)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tensors, nil
}

func decodeCheckpoint(raw []byte, state any) (map[string]Tensor, error) {
	file, err := safetensors.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("not a safetensors file, or cut off: %w", err)
	}
	if format := file.Metadata[metaFormat]; format != checkpointFormat {
		return nil, fmt.Errorf("expected a file of the format %q, found %q", checkpointFormat, format)
	}
	if hash := hashTensors(file.Tensors); hash != file.Metadata[metaHash] {
		return nil, fmt.Errorf("damaged: expected tensors with the SHA-256 %s, found %s", file.Metadata[metaHash], hash)
	}
	tensors := make(map[string]Tensor, len(file.Tensors))
	for _, t := range file.Tensors {
		if _, twice := tensors[t.Name]; twice {
			return nil, fmt.Errorf("tensor %q: expected once, found twice", t.Name)
		}
		if tensors[t.Name], err = decodeTensor(t); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	if err := json.Unmarshal([]byte(file.Metadata[metaState]), state); err != nil {
		return nil, fmt.Errorf("the state of the run: %w", err)
	}
	return tensors, nil
}

func hashTensors(tensors []safetensors.Tensor) string {
	hash := sha256.New()
	for _, t := range tensors {
		hash.Write(t.Data)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func (t Tensor) encode(name string) safetensors.Tensor {
	out := safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: []uint64{}}
	n := 1
	for _, d := range t.Shape {
		n *= d
		out.Shape = append(out.Shape, uint64(d))
	}
	if len(t.F)+len(t.Bool) != n || (t.F != nil && t.Bool != nil) {
		panic(fmt.Sprintf("train: checkpoint tensor %q: %d numbers and %d flags for shape %v", name, len(t.F), len(t.Bool), t.Shape))
	}
	if t.Bool != nil {
		out.DType = safetensors.U8
		out.Data = make([]byte, n)
		for i, v := range t.Bool {
			if v {
				out.Data[i] = 1
			}
		}
		return out
	}
	out.Data = make([]byte, 0, 4*n)
	for _, v := range t.F {
		out.Data = binary.LittleEndian.AppendUint32(out.Data, math.Float32bits(v))
	}
	return out
}

// decodeTensor copies t, whose length the parser has checked against its shape.
func decodeTensor(t safetensors.Tensor) (Tensor, error) {
	var out Tensor
	for _, d := range t.Shape {
		if d > math.MaxInt32 {
			return out, fmt.Errorf("expected dimensions below 2^31, found %v", t.Shape)
		}
		out.Shape = append(out.Shape, int(d))
	}
	switch t.DType {
	case safetensors.F32:
		out.F = make([]float32, len(t.Data)/4)
		for i := range out.F {
			out.F[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		}
	case safetensors.U8:
		out.Bool = make([]bool, len(t.Data))
		for i, v := range t.Data {
			if v > 1 {
				return out, errors.New("expected flags, 0 or 1, found other bytes")
			}
			out.Bool[i] = v == 1
		}
	default:
		return out, fmt.Errorf("expected type F32 or U8, found %q", t.DType)
	}
	return out, nil
}
