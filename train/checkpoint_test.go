package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

type checkpointState struct {
	Epoch  int
	Seed   uint64
	Loss   float64
	Config string
}

func exampleCheckpoint() (map[string]Tensor, checkpointState) {
	return map[string]Tensor{
		"param/conv1.weight":        {Shape: []int{2, 3}, F: []float32{1, -0.5, float32(math.Inf(-1)), 0, 1e-40, float32(math.Copysign(0, -1))}},
		"slot/exp_avg/conv1.weight": {Shape: []int{2, 3}, F: []float32{1, 2, 3, 4, 5, 6}},
		"mask/conv1.weight":         {Shape: []int{3}, Bool: []bool{true, false, true}},
		"param/scalar":              {F: []float32{7}},
		"param/empty":               {Shape: []int{0, 4}, F: []float32{}},
	}, checkpointState{Epoch: 3, Seed: math.MaxUint64, Loss: 0.1 + 0.2, Config: "<a&b>\n\"é\""}
}

func TestCheckpointRoundTrip(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.safetensors")
	tensors, state := exampleCheckpoint()
	var first []byte
	for range 3 { // replaces the file of before, with the same bytes
		if err := SaveCheckpoint(path, tensors, state); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		}
		if !bytes.Equal(raw, first) {
			t.Fatal("got other bytes for the same checkpoint, want the same")
		}
	}
	var gotState checkpointState
	got, err := LoadCheckpoint(path, &gotState)
	if err != nil {
		t.Fatal(err)
	}
	if gotState != state {
		t.Errorf("got state %+v, want %+v", gotState, state)
	}
	if len(got) != len(tensors) {
		t.Errorf("got %d tensors, want %d", len(got), len(tensors))
	}
	for name, want := range tensors {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s: got %+v, want %+v", name, got[name], want)
		}
		for i, v := range want.F {
			if math.Float32bits(got[name].F[i]) != math.Float32bits(v) {
				t.Errorf("%s[%d]: got bits of %v, want those of %v", name, i, got[name].F[i], v)
			}
		}
	}

	var page struct {
		Checkpoint, SHA256 string
		State              checkpointState
	}
	text, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &page); err != nil {
		t.Fatal(err)
	}
	if page.Checkpoint != "run.safetensors" || page.State != state || len(page.SHA256) != 64 {
		t.Errorf("got the copy %+v, want the state %+v", page, state)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("got files %v, want run.json and run.safetensors only", files)
	}
}

// The layout of the format, read here without the library: aligned numbers and a
// plain JSON header.
func TestCheckpointLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	tensors, state := exampleCheckpoint()
	if err := SaveCheckpoint(path, tensors, state); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(raw)
	if n%8 != 0 {
		t.Errorf("got a header of %d bytes, want a multiple of 8", n)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	var info struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(header["slot/exp_avg/conv1.weight"], &info); err != nil {
		t.Fatal(err)
	}
	if info.DType != "F32" || !reflect.DeepEqual(info.Shape, []int{2, 3}) || info.Offsets[1]-info.Offsets[0] != 24 || info.Offsets[0]%4 != 0 {
		t.Errorf("got %+v, want F32 of shape [2 3] at a multiple of 4", info)
	}
	data := raw[8+n:][info.Offsets[0]:]
	if v := math.Float32frombits(binary.LittleEndian.Uint32(data[4:])); v != 2 {
		t.Errorf("got second value %v, want 2", v)
	}
}

func TestCheckpointBad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.safetensors")
	tensors, state := exampleCheckpoint()
	if err := SaveCheckpoint(path, tensors, state); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-8] ^= 1
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "not a safetensors file"},
		{"cut", good[:len(good)-1], "not a safetensors file, or cut off"},
		{"longer", append(bytes.Clone(good), 0), "not a safetensors file"},
		{"damaged", flipped, "damaged"},
		{"huge header", []byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}"), "not a safetensors file"},
		{"other format", bytes.Replace(good, []byte(checkpointFormat), []byte("finetune checkpoint 9"), 1), `found "finetune checkpoint 9"`},
		{"other type", bytes.Replace(good, []byte(`"U8"`), []byte(`"I8"`), 1), "expected type F32 or U8"},
	} {
		file := filepath.Join(dir, "bad")
		if err := os.WriteFile(file, c.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		var got checkpointState
		_, err := LoadCheckpoint(file, &got)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), file) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	var other []int
	if _, err := LoadCheckpoint(path, &other); err == nil || !strings.Contains(err.Error(), "the state of the run") {
		t.Errorf("got %v, want an error about the state", err)
	}

	if err := SaveCheckpoint(path, tensors, math.NaN()); err == nil {
		t.Error("got no error for a NaN in the state, want one")
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, good) {
		t.Error("got another file after a failed save, want that of before")
	}
	if err := SaveCheckpoint(filepath.Join(dir, "none", "run"), tensors, state); err == nil {
		t.Error("got no error for a folder that does not exist, want one")
	}
}

// TestCheckpointPlace keeps what is no checkpoint from being replaced by one.
func TestCheckpointPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.safetensors")
	if err := CheckpointPlace(path); err != nil {
		t.Fatal(err)
	}
	tensors, state := exampleCheckpoint()
	if err := SaveCheckpoint(path, tensors, state); err != nil {
		t.Fatal(err)
	}
	if err := CheckpointPlace(path); err != nil {
		t.Errorf("its own checkpoint: got %v", err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("model.json", `{"layers": 3}`)
	for path, want := range map[string]string{
		write("data.csv", "x,y\n0.1,2\n"): "data.csv: exists, and is no checkpoint",
		write("weights.safetensors", "\x20\x00\x00\x00\x00\x00\x00\x00"+`{"__metadata__":{"format":"pt"}}`): "weights.safetensors: exists, and is no checkpoint",
		write("empty", ""):                      "empty: exists, and is no checkpoint",
		filepath.Join(dir, "model.safetensors"): "model.json: exists, and is no checkpoint",
		filepath.Join(dir, "none", "run"):       "there is no folder",
		dir:                                     "exists, and is no checkpoint",
		os.DevNull:                              "exists, and is no checkpoint",
	} {
		if err := CheckpointPlace(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", path, err, want)
		}
	}
	cfg := DefaultConfig()
	cfg.Checkpoint = filepath.Join(dir, "data.csv")
	if _, err := Run(context.Background(), mlp().model(t), labelled(20, 3, 6).loader(t), nil, cfg); err == nil || !strings.Contains(err.Error(), "is no checkpoint") {
		t.Errorf("got %v, want an error of Run too", err)
	}
}

func FuzzCheckpoint(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "run.safetensors")
	tensors, state := exampleCheckpoint()
	if err := SaveCheckpoint(path, tensors, state); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:20])
	f.Add([]byte("\x04\x00\x00\x00\x00\x00\x00\x00null"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var got checkpointState
		tensors, err := decodeCheckpoint(raw, &got)
		if err == nil && len(tensors) == 0 {
			t.Error("got no tensors and no error")
		}
	})
}
