package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
)

func TestScans(t *testing.T) {
	type scanner func(x *G.Node, axis int, exclusive, reverse bool) (*G.Node, error)
	x := []float32{1, 2, 3, 4}
	for _, c := range []struct {
		name               string
		f                  scanner
		exclusive, reverse bool
		want               []float32
	}{
		{"CumSum", CumSum, false, false, []float32{1, 3, 6, 10}},
		{"CumSum exclusive", CumSum, true, false, []float32{0, 1, 3, 6}},
		{"CumSum reverse", CumSum, false, true, []float32{10, 9, 7, 4}},
		{"CumSum exclusive reverse", CumSum, true, true, []float32{9, 7, 4, 0}},
		{"CumProd", CumProd, false, false, []float32{1, 2, 6, 24}},
		{"CumProd exclusive", CumProd, true, false, []float32{1, 1, 2, 6}},
		{"CumProd reverse", CumProd, false, true, []float32{24, 24, 12, 4}},
		{"CumProd exclusive reverse", CumProd, true, true, []float32{24, 12, 4, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			along := func(axis int) builder {
				return func(in []*G.Node) (*G.Node, error) { return c.f(in[0], axis, c.exclusive, c.reverse) }
			}
			y, _ := forward(t, along(0), floatLeaf([]int{4}, x...))
			wantFloats(t, y, c.want, 0)
			for axis := range 3 {
				checkGrad(t, along(axis), noise(1, 2, 3, 4))
			}
			zeros := noise(2, 5)
			zeros.data.F[1], zeros.data.F[3] = 0, 0
			checkGrad(t, along(-1), zeros)
			ints, _ := forward(t, along(-1), intLeaf([]int{4}, 1, 2, 3, 4))
			for i, want := range c.want {
				if ints.I[i] != int64(want) {
					t.Fatalf("of int64: got %v, want %v", ints.I, c.want)
				}
			}
		})
	}
}
