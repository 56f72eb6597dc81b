package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func convTranspose(s ConvSpec, more ...int) builder {
	return func(in []*G.Node) (*G.Node, error) {
		if len(in) == 2 {
			return ConvTranspose(in[0], in[1], nil, s, more)
		}
		return ConvTranspose(in[0], in[1], in[2], s, more)
	}
}

func TestConvTranspose(t *testing.T) {
	x := counted(1, 1, 2, 2) // 1 2, 3 4
	w := floatLeaf([]int{1, 1, 2, 2}, 1, 10, 100, 1000)
	got, shape := forward(t, convTranspose(ConvSpec{}), x, w)
	wantShape(t, shape, 1, 1, 3, 3)
	wantFloats(t, got, []float32{1, 12, 20, 103, 1234, 2040, 300, 3400, 4000}, 0)

	got, shape = forward(t, convTranspose(ConvSpec{Strides: []int{2, 2}}), x, w)
	wantShape(t, shape, 1, 1, 4, 4)
	wantFloats(t, got, []float32{1, 10, 2, 20, 100, 1000, 200, 2000, 3, 30, 4, 40, 300, 3000, 400, 4000}, 0)

	got, shape = forward(t, convTranspose(ConvSpec{Strides: []int{1, 2}, Pads: []int{1, 0, 0, 1}}, 0, 1), x, w, floatLeaf([]int{1}, 5))
	wantShape(t, shape, 1, 1, 2, 4)
	wantFloats(t, got, []float32{108, 1035, 209, 2045, 305, 3005, 405, 4005}, 0)

	got, shape = forward(t, convTranspose(ConvSpec{Groups: 2}), counted(1, 2, 1), floatLeaf([]int{2, 1, 2}, 1, 2, 3, 4))
	wantShape(t, shape, 1, 2, 2)
	wantFloats(t, got, []float32{1, 2, 6, 8}, 0)
}

func TestConvTransposeGrad(t *testing.T) {
	for name, c := range map[string]struct {
		spec ConvSpec
		more []int
		x, w []int
		m    int
	}{
		"1-D":       {ConvSpec{Strides: []int{2}, Pads: []int{1, 2}}, []int{1}, []int{2, 3, 4}, []int{3, 2, 3}, 2},
		"2-D":       {ConvSpec{Pads: []int{1, 0, 0, 2}, Dilations: []int{1, 2}}, []int{0, 1}, []int{2, 2, 3, 3}, []int{2, 3, 2, 3}, 3},
		"up":        {ConvSpec{Strides: []int{2, 2}}, nil, []int{2, 3, 3, 2}, []int{3, 4, 2, 2}, 4},
		"groups":    {ConvSpec{Groups: 2, Strides: []int{2, 1}}, nil, []int{1, 4, 2, 3}, []int{4, 2, 2, 2}, 4},
		"depthwise": {ConvSpec{Groups: 3, Pads: []int{1, 1, 1, 1}, Strides: []int{2, 2}}, []int{1, 1}, []int{2, 3, 3, 3}, []int{3, 1, 3, 3}, 3},
		"3-D":       {ConvSpec{Strides: []int{1, 2, 1}}, nil, []int{1, 2, 2, 2, 2}, []int{2, 2, 2, 2, 2}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			checkGrad(t, convTranspose(c.spec, c.more...), noise(1, c.x...), noise(2, c.w...))
			checkGrad(t, convTranspose(c.spec, c.more...), noise(1, c.x...), noise(2, c.w...), noise(3, c.m))
		})
	}
}

func TestConvTransposeErrors(t *testing.T) {
	x, w := counted(1, 4, 5, 5), counted(4, 6, 3, 3)
	wantErrors(t, []struct {
		words  string
		build  builder
		inputs []leaf
	}{
		{"ConvTranspose|(1, 4, 5, 5)|(4, 6, 3)|rank", convTranspose(ConvSpec{}), []leaf{x, counted(4, 6, 3)}},
		{"ConvTranspose|4 input channels in 3 groups", convTranspose(ConvSpec{Groups: 3}), []leaf{x, w}},
		{"ConvTranspose|4 input channels", convTranspose(ConvSpec{}), []leaf{x, counted(6, 4, 3, 3)}},
		{"ConvTranspose|-1 groups", convTranspose(ConvSpec{Groups: -1}), []leaf{x, w}},
		{"ConvTranspose|[3 4]", convTranspose(ConvSpec{Kernel: []int{3, 4}}), []leaf{x, w}},
		{"ConvTranspose|strides [1]", convTranspose(ConvSpec{Strides: []int{1}}), []leaf{x, w}},
		{"ConvTranspose|[1] elements more", convTranspose(ConvSpec{Strides: []int{2, 2}}, 1), []leaf{x, w}},
		{"ConvTranspose|[0 2] elements more|[2 2]", convTranspose(ConvSpec{Strides: []int{2, 2}}, 0, 2), []leaf{x, w}},
		{"ConvTranspose|padding 4 and 4 leaves -1 elements", convTranspose(ConvSpec{Pads: []int{4, 0, 4, 0}}), []leaf{x, w}},
		{"ConvTranspose|bias|(5)|(6)", convTranspose(ConvSpec{}), []leaf{x, w, counted(5)}},
		{"ConvTranspose|int64", convTranspose(ConvSpec{}), []leaf{intLeaf([]int{1, 1, 1}, 1), counted(1, 1, 1)}},
	})
}
