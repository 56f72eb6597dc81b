package onnxload

import (
	"slices"
	"testing"

	"finetune/internal/corpus"
	"finetune/optim"
)

// CompareOutputs sees a weight that was changed, and nothing where none was.
func TestCompareOutputs(t *testing.T) {
	path := corpus.Path(t, "models/mnist-12.onnx")
	a, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Batch: 2}
	got, err := a.CompareOutputs(b, cfg)
	if err != nil || got != 0 {
		t.Errorf("the same model: got %v, %v, want 0", got, err)
	}
	i := slices.IndexFunc(b.Params, func(p *optim.Param) bool { return p.Role == optim.Weight })
	for k := range b.Params[i].Value {
		b.Params[i].Value[k] *= 2
	}
	if got, err = a.CompareOutputs(b, cfg); err != nil || !(got > 1e-3) {
		t.Errorf("another weight: got %v, %v, want a difference", got, err)
	}
}
