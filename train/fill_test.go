package train

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"finetune/internal/corpus"
	"finetune/onnxload"
	"finetune/train/data"
)

// noise is random examples for a model: values from 0 to 1 for every input, and
// targets for one output.
type noise struct {
	fields []data.Field
	target int
}

func (n noise) Len() int             { return 2 }
func (n noise) Inputs() []data.Field { return n.fields }
func (n noise) Target() data.Target  { return data.Target{Shape: []int{n.target}} }
func (n noise) Where(i int) string   { return "noise" }

func (n noise) Example(i int, in [][]float32, target []float32) error {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	for _, x := range append(slices.Clone(in), target) {
		for k := range x {
			x[k] = random.Float32()
		}
	}
	return nil
}

// The models of the corpus that keep a state, or that a sample rate decides the
// shapes of, are trained with these inputs filled.
func TestFilledModels(t *testing.T) {
	for _, c := range []struct {
		model  string
		fill   map[string]float64
		shape  []int // of an example
		target int
	}{
		{"gtcrn_gru_denoise", map[string]float64{"conv_cache": 0, "tra_cache": 0, "inter_cache": 0}, []int{257, 1, 2}, 257 * 2},
		{"silero_vad_16k_op15", map[string]float64{"state": 0, "sr": 16000}, []int{512}, 1},
	} {
		m, err := onnxload.Open(corpus.Path(t, "models/"+c.model+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(c.fill)) {
			if err := m.Fill(name, c.fill[name]); err != nil {
				t.Fatal(err)
			}
		}
		source := noise{[]data.Field{{Name: m.Inputs[0].Name, Shape: c.shape}}, c.target}
		l, err := data.NewLoader(source, data.LoaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig()
		cfg.Batch = 2
		result, err := Run(t.Context(), m, l, nil, cfg)
		if err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		if result.Steps != cfg.Epochs {
			t.Errorf("%s: got %d steps, want %d", c.model, result.Steps, cfg.Epochs)
		}
	}
}
