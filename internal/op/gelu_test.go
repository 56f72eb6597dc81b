package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestGelu(t *testing.T) {
	x := floatLeaf([]int{5}, -2, -0.5, 0, 1, 3)
	for _, c := range []struct {
		name  string
		build func(*G.Node) (*G.Node, error)
		want  []float32
	}{
		{"Gelu", Gelu, []float32{-0.04550026, -0.15426877, 0, 0.8413447, 2.9959502}},
		{"GeluTanh", GeluTanh, []float32{-0.0454023, -0.15428599, 0, 0.841192, 2.9963627}},
		{"Erf", Erf, []float32{-0.9953223, -0.5204999, 0, 0.8427008, 0.9999779}},
	} {
		build := func(in []*G.Node) (*G.Node, error) { return c.build(in[0]) }
		got, shape := forward(t, build, x)
		wantShape(t, shape, 5)
		wantFloats(t, got, c.want, 1e-6)
		checkGrad(t, build, noise(1, 3, 50))
		wantErrors(t, []struct {
			words  string
			build  builder
			inputs []leaf
		}{{c.name + "|int64", build, []leaf{intLeaf([]int{1}, 1)}}})
	}
}
