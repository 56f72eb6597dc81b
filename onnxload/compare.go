package onnxload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"finetune/internal/op"
)

// CompareOutputs runs m and other, lowered for cfg, on the same random inputs and
// returns the largest difference between their outputs, as a share of the
// largest element of the output. It is 0 if they are equal to the last bit. The
// inputs of other are those of m, with what Fill has made of them.
func (m *Model) CompareOutputs(other *Model, cfg Config) (float64, error) {
	cfg.Training = false
	a, err := m.Lower(cfg)
	if err != nil {
		return 0, err
	}
	likewise := *other
	likewise.Inputs, likewise.filled = m.Inputs, m.filled
	b, err := likewise.Lower(cfg)
	if err != nil {
		return 0, err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var inputs []op.Buffer
	for _, p := range a.Inputs {
		inputs = append(inputs, randomInput(rng, p))
	}
	want, err := a.evaluate(inputs)
	if err != nil {
		return 0, m.located(err)
	}
	got, err := b.evaluate(inputs)
	if err != nil {
		return 0, other.located(err)
	}
	worst := 0.0
	for i := range want {
		d, err := difference(got[i], want[i])
		if err != nil {
			return 0, fmt.Errorf("output %q: %w", a.Outputs[i].Name, err)
		}
		worst = max(worst, d)
	}
	return worst, nil
}

// difference is the largest difference of two outputs as a share of the largest
// element of want.
func difference(got, want op.Buffer) (float64, error) {
	if got.Len() != want.Len() || !slices.Equal(got.I, want.I) {
		return 0, fmt.Errorf("%d elements that differ from the expected %d", got.Len(), want.Len())
	}
	var largest, worst float64
	for i, w := range want.F {
		d := math.Abs(float64(got.F[i]) - float64(w))
		if got.F[i] == w || math.IsNaN(float64(w)) && math.IsNaN(float64(got.F[i])) {
			d = 0
		}
		if math.IsNaN(d) {
			return math.Inf(1), nil
		}
		worst = max(worst, d)
		if v := math.Abs(float64(w)); v <= math.MaxFloat32 {
			largest = max(largest, v)
		}
	}
	if worst == 0 {
		return 0, nil
	}
	return worst / largest, nil
}
