package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func sampled(s SampleSpec) builder {
	return func(in []*G.Node) (*G.Node, error) { return Sample(in[0], in[1], s) }
}

func TestSample(t *testing.T) {
	x := floatLeaf([]int{1, 1, 4}, 10, 20, 40, 80)
	at := floatLeaf([]int{1, 5, 1}, -1.75, -0.25, 0.5, 2.25, 4)
	for _, c := range []struct {
		name string
		s    SampleSpec
		want []float32
	}{
		{"nearest, zeros", SampleSpec{Mode: Nearest}, []float32{0, 10, 10, 40, 0}},
		{"linear, zeros", SampleSpec{Mode: Linear}, []float32{0, 7.5, 15, 50, 0}},
		{"linear, border", SampleSpec{Mode: Linear, Outside: Border}, []float32{10, 10, 15, 50, 80}},
		{"linear, mirrored edges", SampleSpec{Mode: Linear, Outside: Mirror}, []float32{17.5, 10, 15, 50, 80}},
		{"linear, mirrored centres", SampleSpec{Mode: Linear, Outside: Mirror, EdgeCenters: true}, []float32{35, 12.5, 15, 50, 40}},
		{"cubic, zeros", SampleSpec{Mode: Cubic}, []float32{-0.3515625, 6.6796875, 14.0625, 53.984375, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y, _ := forward(t, sampled(c.s), x, at)
			wantFloats(t, y, c.want, 1e-5)
		})
	}
}

func TestSampleGradients(t *testing.T) {
	// Places far enough from the elements, where linear interpolation has kinks.
	places := func(n, axes int) leaf {
		l := noise(7, 2, n, axes)
		for i := range l.data.F {
			l.data.F[i] = float32(int(l.data.F[i]*4)) - 0.3
		}
		return l
	}
	for _, mode := range []SampleSpec{
		{Mode: Linear}, {Mode: Cubic}, {Mode: Linear, Outside: Border}, {Mode: Cubic, Outside: Border},
		{Mode: Linear, Outside: Mirror}, {Mode: Linear, Outside: Mirror, EdgeCenters: true}, {Mode: Cubic, Outside: Mirror},
	} {
		checkGrad(t, sampled(mode), noise(1, 2, 2, 4), places(5, 1))
		checkGrad(t, sampled(mode), noise(2, 2, 1, 3, 4), places(5, 2))
		checkGrad(t, sampled(mode), noise(3, 2, 1, 2, 3, 2), places(3, 3))
	}
	g := gradients(t, sampled(SampleSpec{Mode: Nearest}), noise(1, 1, 1, 3), floatLeaf([]int{1, 2, 1}, 0.7, 1.2))
	wantFloats(t, g[0], []float32{0, 2, 0}, 0)
	wantFloats(t, g[1], []float32{0, 0}, 0)
}
