package op

import (
	"math"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
)

// moments is the mean and the standard deviation.
func moments(x []float32) (mean, deviation float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
	}
	for _, v := range x {
		deviation += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}

// TestRandom checks the moments of what is drawn, that seeds differ, and that the
// same seed draws the same.
func TestRandom(t *testing.T) {
	const n = 1 << 16
	for _, c := range []struct {
		name            string
		draw            func(like *G.Node, shape []int, p, q float64, seed uint64) (*G.Node, error)
		p, q            float64
		mean, deviation float64
	}{
		{"normal", RandomNormal, 3, 2, 3, 2},
		{"uniform", RandomUniform, -1, 3, 1, 4 / math.Sqrt(12)},
	} {
		of := func(seed uint64) []float32 {
			got, shape := forward(t, func(in []*G.Node) (*G.Node, error) {
				return c.draw(in[0], []int{n / 4, 4}, c.p, c.q, seed)
			}, floatLeaf(nil, 0))
			wantShape(t, shape, n/4, 4)
			return got.F
		}
		first := of(1)
		mean, deviation := moments(first)
		if math.Abs(mean-c.mean) > 0.03 || math.Abs(deviation-c.deviation) > 0.03 {
			t.Errorf("%s: got mean %.3f and deviation %.3f, want %.3f and %.3f", c.name, mean, deviation, c.mean, c.deviation)
		}
		if !slices.Equal(first, of(1)) || slices.Equal(first, of(2)) {
			t.Errorf("%s: want the same numbers for the same seed only", c.name)
		}
	}
}

// TestDrawnClasses checks how often Bernoulli and Multinomial draw what.
func TestDrawnClasses(t *testing.T) {
	const n = 1 << 14
	p := slices.Repeat([]float32{0, 0.25, 1}, n)
	got, _ := forward(t, func(in []*G.Node) (*G.Node, error) { return Bernoulli(in[0], 5) }, floatLeaf([]int{n, 3}, p...))
	var ones [3]int
	for i, v := range got.I {
		ones[i%3] += int(v)
	}
	if ones[0] != 0 || ones[2] != n || math.Abs(float64(ones[1])/n-0.25) > 0.02 {
		t.Errorf("Bernoulli: got ones %v of %d, want shares 0, 0.25 and 1", ones, n)
	}
	logits := floatLeaf([]int{2, 3}, 0, float32(math.Log(3)), float32(math.Inf(-1)), 9, -90, -90)
	drawn, shape := forward(t, func(in []*G.Node) (*G.Node, error) { return Multinomial(in[0], n, 5) }, logits)
	wantShape(t, shape, 2, n)
	var counts [2][3]int
	for i, v := range drawn.I {
		counts[i/n][v]++
	}
	if counts[0][2] != 0 || counts[1][0] != n || math.Abs(float64(counts[0][1])/n-0.75) > 0.02 {
		t.Errorf("Multinomial: got %v of %d, want shares 0.25, 0.75, 0 and 1, 0, 0", counts, n)
	}
}
