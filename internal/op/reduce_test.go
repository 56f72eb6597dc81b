package op

import (
	"fmt"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func TestSum(t *testing.T) {
	build := func(in []*G.Node) (*G.Node, error) { return Sum(in[0], in[1], in[0], in[2]) }
	y, _ := forward(t, build, floatLeaf([]int{2}, 1, 2), floatLeaf([]int{2}, 10, 20), floatLeaf([]int{2}, 100, 200))
	wantFloats(t, y, []float32{112, 224}, 0)
	checkGrad(t, build, noise(1, 3), noise(2, 3), noise(3, 3))

	g := G.NewGraph()
	x, z := Input(g, "x", tensor.Float32, 2), Input(g, "z", tensor.Float32, 1, 2)
	if y, err := Sum(x); err != nil || y != x {
		t.Errorf("of one: got %v, %v, want the node itself", y, err)
	}
	if _, err := Sum(x, z); err == nil {
		t.Error("of two shapes: got no error")
	}
	if _, err := Sum(); err == nil {
		t.Error("of nothing: got no error")
	}
}

func TestReduce(t *testing.T) {
	shape := []int{2, 3, 4, 2}
	for _, axes := range [][]int{nil, {0}, {1}, {-1}, {0, 2}, {1, 3}, {0, 2, 3}, {2, 3}, {3, 0, 1, 2}} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprint(axes, keep), func(t *testing.T) {
				sum := one(func(x *G.Node) (*G.Node, error) { return ReduceSum(x, axes, keep) })
				mean := one(func(x *G.Node) (*G.Node, error) { return ReduceMean(x, axes, keep) })

				var dims []int
				over, count, size := make([]bool, 4), 1, 1
				for k, d := range shape {
					over[k] = axes == nil || slices.Contains(axes, k) || slices.Contains(axes, k-4)
					switch {
					case over[k]:
						count *= d
						if keep {
							dims = append(dims, 1)
						}
					default:
						size *= d
						dims = append(dims, d)
					}
				}
				want := make([]int64, size)
				f, i := counting(shape...)
				for n, v := range i.data.I {
					rest, at, stride := n, 0, 1
					for k := 3; k >= 0; k-- {
						if !over[k] {
							at += rest % shape[k] * stride
							stride *= shape[k]
						}
						rest /= shape[k]
					}
					want[at] += v
				}
				y, got := forward(t, sum, i)
				wantShape(t, got, dims...)
				wantInts(t, y, want...)
				sums, means := make([]float32, size), make([]float32, size)
				for k, w := range want {
					sums[k], means[k] = float32(w), float32(w)/float32(count)
				}
				y, _ = forward(t, sum, f)
				wantFloats(t, y, sums, 0)
				y, got = forward(t, mean, f)
				wantShape(t, got, dims...)
				wantFloats(t, y, means, 0)
				checkGrad(t, sum, noise(1, shape...))
				checkGrad(t, mean, noise(1, shape...))
			})
		}
	}
}

func TestReduceSumIsAccumulatedInFloat64(t *testing.T) {
	// In float32, 2^24 + 1 is 2^24: the ones would be lost.
	const n = 5000
	x := append([]float32{1 << 24}, slices.Repeat([]float32{1}, n)...)
	y, _ := forward(t, one(func(x *G.Node) (*G.Node, error) { return ReduceSum(x, nil, false) }), floatLeaf([]int{n + 1}, x...))
	wantFloats(t, y, []float32{1<<24 + n}, 0)
	y, _ = forward(t, one(func(x *G.Node) (*G.Node, error) { return ReduceSum(x, []int{0}, false) }),
		floatLeaf([]int{n + 1, 2}, slices.Concat(x[:1], x[:1], slices.Repeat([]float32{1}, 2*n))...))
	wantFloats(t, y, []float32{1<<24 + n, 1<<24 + n}, 0)
}

func TestReduceErrors(t *testing.T) {
	g := G.NewGraph()
	x, i := Input(g, "x", tensor.Float32, 2, 3), Input(g, "i", tensor.Int64, 2)
	for _, axes := range [][]int{{2}, {-3}, {0, 0}, {1, -1}} {
		if _, err := ReduceSum(x, axes, false); err == nil {
			t.Errorf("axes %v: got no error", axes)
		}
	}
	if _, err := ReduceMean(i, nil, false); err == nil {
		t.Error("mean of int64: got no error")
	}
}
