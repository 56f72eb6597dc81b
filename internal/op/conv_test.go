package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func conv(s ConvSpec) builder {
	return func(in []*G.Node) (*G.Node, error) {
		if len(in) == 2 {
			return Conv(in[0], in[1], nil, s)
		}
		return Conv(in[0], in[1], in[2], s)
	}
}

func TestConv(t *testing.T) {
	x := counted(1, 1, 3, 3)
	w := floatLeaf([]int{1, 1, 2, 2}, 1, 0, 0, 1)
	got, shape := forward(t, conv(ConvSpec{}), x, w)
	wantShape(t, shape, 1, 1, 2, 2)
	wantFloats(t, got, []float32{6, 8, 12, 14}, 0)

	got, shape = forward(t, conv(ConvSpec{Pads: []int{1, 0, 0, 1}, Strides: []int{1, 2}}), x, w, floatLeaf([]int{1}, 100))
	wantShape(t, shape, 1, 1, 3, 2)
	wantFloats(t, got, []float32{102, 100, 106, 103, 112, 106}, 0)

	got, shape = forward(t, conv(ConvSpec{Dilations: []int{2, 2}}), x, w)
	wantShape(t, shape, 1, 1, 1, 1)
	wantFloats(t, got, []float32{10}, 0)

	got, shape = forward(t, conv(ConvSpec{Groups: 2}), counted(1, 2, 3), floatLeaf([]int{2, 1, 2}, 1, 1, 1, -1))
	wantShape(t, shape, 1, 2, 2)
	wantFloats(t, got, []float32{3, 5, -1, -1}, 0)
}

func TestConvGrad(t *testing.T) {
	for name, c := range map[string]struct {
		spec ConvSpec
		x, w []int
	}{
		"1-D":         {ConvSpec{Strides: []int{2}, Pads: []int{1, 2}}, []int{2, 2, 7}, []int{3, 2, 3}},
		"2-D":         {ConvSpec{Pads: []int{1, 0, 0, 2}, Dilations: []int{1, 2}}, []int{2, 2, 4, 5}, []int{3, 2, 2, 3}},
		"groups":      {ConvSpec{Groups: 2, Strides: []int{2, 1}}, []int{1, 4, 4, 3}, []int{4, 2, 2, 2}},
		"depthwise":   {ConvSpec{Groups: 3, Pads: []int{1, 1, 1, 1}}, []int{2, 3, 3, 3}, []int{3, 1, 3, 3}},
		"one by one":  {ConvSpec{}, []int{2, 3, 2, 3}, []int{4, 3, 1, 1}},
		"3-D":         {ConvSpec{Pads: []int{1, 0, 0, 0, 1, 0}}, []int{1, 2, 2, 3, 2}, []int{4, 2, 2, 2, 2}},
		"many images": {ConvSpec{}, []int{9, 2, 3, 3}, []int{4, 2, 2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			checkGrad(t, conv(c.spec), noise(1, c.x...), noise(2, c.w...))
			checkGrad(t, conv(c.spec), noise(1, c.x...), noise(2, c.w...), noise(3, c.w[0]))
		})
	}
}

func TestConvErrors(t *testing.T) {
	x, w := counted(1, 4, 5, 5), counted(6, 4, 3, 3)
	wantErrors(t, []struct {
		words  string
		build  builder
		inputs []leaf
	}{
		{"Conv|(1, 4, 5, 5)|(6, 4, 3)|rank", conv(ConvSpec{}), []leaf{x, counted(6, 4, 3)}},
		{"Conv|4 input channels and 6 output channels in 4 groups", conv(ConvSpec{Groups: 4}), []leaf{x, w}},
		{"Conv|2 groups", conv(ConvSpec{Groups: 2}), []leaf{x, w}},
		{"Conv|-1 groups", conv(ConvSpec{Groups: -1}), []leaf{x, w}},
		{"Conv|[3 4]", conv(ConvSpec{Kernel: []int{3, 4}}), []leaf{x, w}},
		{"Conv|strides [1]", conv(ConvSpec{Strides: []int{1}}), []leaf{x, w}},
		{"Conv|negative padding", conv(ConvSpec{Pads: []int{0, -1, 0, 0}}), []leaf{x, w}},
		{"Conv|window of 7 does not fit into 5", conv(ConvSpec{Dilations: []int{3, 1}}), []leaf{x, w}},
		{"Conv|bias|(5)|(6)", conv(ConvSpec{}), []leaf{x, w, counted(5)}},
		{"Conv|int64", conv(ConvSpec{}), []leaf{intLeaf([]int{1, 1, 1}, 1), counted(1, 1, 1)}},
	})
}
