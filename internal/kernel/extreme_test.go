package kernel

import (
	"math"
	"slices"
	"testing"
)

// The result may take the place of an operand.
func TestExtremesInPlace(t *testing.T) {
	inf := float32(math.Inf(1))
	a := []float32{1, 2, 3, 0, -1, inf, -inf, 5}
	b := []float32{1, 3, 2, 0, 0, inf, inf, 5}
	for _, test := range []struct {
		name string
		f    func(out, a, b []float32)
		want []float32
	}{
		{"Max", Max[float32], []float32{1, 3, 3, 0, 0, inf, inf, 5}},
		{"Min", Min[float32], []float32{1, 2, 2, 0, -1, inf, -inf, 5}},
		{"Larger", Larger, []float32{0.5, 0, 1, 0.5, 0, 0.5, 0, 0.5}},
		{"Match", Match, []float32{1, 0, 0, 1, 0, 1, 0, 1}},
	} {
		out := make([]float32, len(a))
		test.f(out, a, b)
		first, second := slices.Clone(a), slices.Clone(b)
		test.f(first, first, b)
		test.f(second, a, second)
		for name, got := range map[string][]float32{"": out, " over the first": first, " over the second": second} {
			if !slices.Equal(got, test.want) {
				t.Errorf("%s%s: got %v, want %v", test.name, name, got, test.want)
			}
		}
	}
}
