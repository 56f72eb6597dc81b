package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func maxPool(s PoolSpec) builder {
	return func(in []*G.Node) (*G.Node, error) { return MaxPool(in[0], s) }
}

func averagePool(s PoolSpec) builder {
	return func(in []*G.Node) (*G.Node, error) { return AveragePool(in[0], s) }
}

func globalAveragePool(in []*G.Node) (*G.Node, error) { return GlobalAveragePool(in[0]) }

func TestMaxPool(t *testing.T) {
	got, shape := forward(t, maxPool(PoolSpec{Kernel: []int{2, 2}, Strides: []int{2, 2}}), counted(1, 1, 4, 4))
	wantShape(t, shape, 1, 1, 2, 2)
	wantFloats(t, got, []float32{6, 8, 14, 16}, 0)

	// A maximum of negative numbers is not that of the padding.
	got, shape = forward(t, maxPool(PoolSpec{Kernel: []int{2}, Pads: []int{1, 1}}), floatLeaf([]int{1, 1, 3}, -3, -2, -1))
	wantShape(t, shape, 1, 1, 4)
	wantFloats(t, got, []float32{-3, -2, -1, -1}, 0)
}

func TestPoolCeilMode(t *testing.T) {
	spec := PoolSpec{Kernel: []int{2}, Strides: []int{2}, CeilMode: true}
	got, shape := forward(t, maxPool(spec), counted(1, 1, 5))
	wantShape(t, shape, 1, 1, 3)
	wantFloats(t, got, []float32{2, 4, 5}, 0)

	got, _ = forward(t, averagePool(spec), counted(1, 1, 5))
	wantFloats(t, got, []float32{1.5, 3.5, 5}, 0)

	// A window that would start behind the input is dropped.
	spec = PoolSpec{Kernel: []int{1}, Strides: []int{2}, Pads: []int{0, 1}, CeilMode: true}
	_, shape = forward(t, maxPool(spec), counted(1, 1, 2))
	wantShape(t, shape, 1, 1, 1)
}

func TestAveragePool(t *testing.T) {
	spec := PoolSpec{Kernel: []int{2}, Strides: []int{2}, Pads: []int{1, 1}}
	got, shape := forward(t, averagePool(spec), counted(1, 1, 4))
	wantShape(t, shape, 1, 1, 3)
	wantFloats(t, got, []float32{1, 2.5, 4}, 0)
	spec.CountIncludePad = true
	got, _ = forward(t, averagePool(spec), counted(1, 1, 4))
	wantFloats(t, got, []float32{0.5, 2.5, 2}, 0)
}

func TestGlobalAveragePool(t *testing.T) {
	got, shape := forward(t, globalAveragePool, counted(1, 2, 2, 2))
	wantShape(t, shape, 1, 2, 1, 1)
	wantFloats(t, got, []float32{2.5, 6.5}, 0)
}

func TestPoolGrad(t *testing.T) {
	for name, c := range map[string]struct {
		spec PoolSpec
		x    []int
	}{
		"plain":    {PoolSpec{Kernel: []int{2, 2}, Strides: []int{2, 2}}, []int{2, 2, 4, 4}},
		"overlap":  {PoolSpec{Kernel: []int{3, 2}, Pads: []int{1, 0, 0, 1}}, []int{1, 2, 4, 4}},
		"dilation": {PoolSpec{Kernel: []int{2, 2}, Dilations: []int{2, 1}, Strides: []int{1, 2}}, []int{1, 2, 5, 4}},
		"ceil":     {PoolSpec{Kernel: []int{3}, Strides: []int{2}, CeilMode: true}, []int{2, 1, 6}},
		"counted":  {PoolSpec{Kernel: []int{3}, Strides: []int{2}, Pads: []int{1, 1}, CeilMode: true, CountIncludePad: true}, []int{1, 1, 6}},
		"3-D":      {PoolSpec{Kernel: []int{2, 2, 2}}, []int{1, 1, 3, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			checkGrad(t, maxPool(c.spec), spaced(1, c.x...))
			checkGrad(t, averagePool(c.spec), noise(1, c.x...))
			checkGrad(t, globalAveragePool, noise(1, c.x...))
		})
	}
}

func TestPoolErrors(t *testing.T) {
	x := counted(1, 2, 4, 4)
	wantErrors(t, []struct {
		words  string
		build  builder
		inputs []leaf
	}{
		{"MaxPool|(1, 2, 4, 4)|2 spatial axes|kernel []", maxPool(PoolSpec{}), []leaf{x}},
		{"AveragePool|kernel [2]", averagePool(PoolSpec{Kernel: []int{2}}), []leaf{x}},
		{"MaxPool|kernel [0 2]", maxPool(PoolSpec{Kernel: []int{0, 2}}), []leaf{x}},
		{"MaxPool|window of 5 does not fit into 4", maxPool(PoolSpec{Kernel: []int{5, 5}}), []leaf{x}},
		{"MaxPool|(2, 2)|rank", maxPool(PoolSpec{}), []leaf{counted(2, 2)}},
		{"AveragePool|int64", averagePool(PoolSpec{Kernel: []int{1}}), []leaf{intLeaf([]int{1, 1, 1}, 1)}},
		{"GlobalAveragePool|(2, 2)|rank", globalAveragePool, []leaf{counted(2, 2)}},
		{"GlobalAveragePool|int64", globalAveragePool, []leaf{intLeaf([]int{1, 1, 1}, 1)}},
	})
}
