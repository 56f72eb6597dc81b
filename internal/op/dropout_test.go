package op

import (
	"math"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func drop(ratio float32, seed uint64) builder {
	return func(in []*G.Node) (*G.Node, error) { return Dropout(in[0], ratio, seed) }
}

func TestDropoutKeepsTheMean(t *testing.T) {
	const n = 100_000
	for _, ratio := range []float32{0.1, 0.5, 0.9} {
		y, _ := forward(t, drop(ratio, 1), floatLeaf([]int{n}, slices.Repeat([]float32{1}, n)...))
		dropped := 0
		for _, v := range y.F {
			switch {
			case v == 0:
				dropped++
			case math.Abs(float64(v*(1-ratio))-1) > 1e-6:
				t.Fatalf("ratio %v: got %v for 1", ratio, v)
			}
		}
		p := float64(ratio)
		if off := math.Abs(float64(dropped)-n*p) / math.Sqrt(n*p*(1-p)); off > 4 {
			t.Errorf("ratio %v: got %d of %d dropped, %.1f standard deviations off", ratio, dropped, n, off)
		}
	}
}

func TestDropoutGradientSeesTheSameMask(t *testing.T) {
	checkGrad(t, drop(0.5, 3), noise(1, 6, 7))
}

func TestDropoutMaskFollowsSeedAndStep(t *testing.T) {
	x := slices.Repeat([]float32{1}, 64)
	mask := func(seed, step uint64) []float32 {
		_, out, _ := graphOf(t, drop(0.5, seed), []leaf{floatLeaf([]int{64}, x...)})
		c := Call{Out: NewBuffer(tensor.Float32, 64), In: []Buffer{{F: x}}, Step: step}
		if err := out.Op().(*Op).Run(&c); err != nil {
			t.Fatal(err)
		}
		return c.Out.F
	}
	base := mask(1, 1)
	if !slices.Equal(base, mask(1, 1)) {
		t.Error("same seed and step: got another mask")
	}
	if slices.Equal(base, mask(2, 1)) {
		t.Error("another seed: got the same mask")
	}
	if slices.Equal(base, mask(1, 2)) {
		t.Error("another step: got the same mask")
	}
	if slices.Equal(mask(2, 1), mask(1, 2)) {
		t.Error("seed 2 at step 1 and seed 1 at step 2: got the same mask")
	}
}

func TestDropoutRatio(t *testing.T) {
	x := Input(G.NewGraph(), "x", tensor.Float32, 2)
	for _, ratio := range []float32{-0.1, 1, float32(math.NaN())} {
		if _, err := Dropout(x, ratio, 1); err == nil {
			t.Errorf("ratio %v: got no error", ratio)
		}
	}
	if y, err := Dropout(x, 0, 1); err != nil || y != x {
		t.Errorf("ratio 0: got %v, %v, want x itself", y, err)
	}
}
