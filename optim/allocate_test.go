package optim

import (
	"math"
	"testing"
)

// TestKernelAllocation holds densities against the rule, on the way up: none above
// 1, those below in the ratio of the shapes, and the number of zeros exact.
func TestKernelAllocation(t *testing.T) {
	params := []*Param{weight("Conv", false, 8, 1, 3, 3), weight("Conv", false, 16, 8, 3, 3), weight("Gemm", false, 32, 100), weight("Gemm", false, 10, 32)}
	total := 0
	for _, p := range params {
		total += len(p.Value)
	}
	for _, sparsity := range []float64{0.1, 0.5, 0.51, 0.8, 0.9, 0.95, 0.98} {
		pr, err := NewPruner(params, Pruning{Kernel: true, Sparsity: Set(sparsity)})
		if err != nil {
			t.Fatal(err)
		}
		if err := pr.Step(0); err != nil {
			t.Fatal(err)
		}
		zeros := 0
		var ratios []float64
		for i, p := range params {
			if plan := pr.Plans()[i]; int(math.Round(plan.Sparsity*float64(len(p.Value)))) != p.Zeros() {
				t.Errorf("sparsity %g, parameter %d: got %d zeros, and %g in the plan", sparsity, i, p.Zeros(), plan.Sparsity)
			}
			zeros += p.Zeros()
			sum := 0
			for _, d := range p.Shape {
				sum += d
			}
			if p.Zeros() > 0 {
				ratios = append(ratios, float64(len(p.Value)-p.Zeros())/float64(sum)) // n·density over that of the rule
			}
		}
		if want := int(math.Round(float64(total) * sparsity)); zeros != want {
			t.Errorf("sparsity %g: got %d zeros, want %d", sparsity, zeros, want)
		}
		for _, r := range ratios[1:] {
			if math.Abs(r-ratios[0]) > 0.1 {
				t.Errorf("sparsity %g: got densities in the ratios %v, want them equal", sparsity, ratios)
			}
		}
	}
}

// TestKernelNeverEmpties asks for more zeros than there is room for but one each.
func TestKernelNeverEmpties(t *testing.T) {
	params := []*Param{weight("Gemm", false, 2, 2), weight("Gemm", false, 30, 30)}
	PruneKernel(params, 0.999)
	for _, p := range params {
		if p.Zeros() == len(p.Value) {
			t.Errorf("%s: got no weight left", p.Name)
		}
	}
}

func TestDeviation(t *testing.T) {
	p := weight("Gemm", false, 2, 2)
	copy(p.Value, []float32{1, 3, -1, 5}) // mean 2, squares 1 + 1 + 9 + 9
	if got, want := p.Deviation(), math.Sqrt(5); math.Abs(got-want) > 1e-12 {
		t.Errorf("got %g, want %g", got, want)
	}
	prunedOnce(t, Pruning{Deviations: Set(0.5)}, p)
	if p.Zeros() != 2 { // 1 and −1 are below 1.118
		t.Errorf("got %v, want the two below 1.118 gone", p.Value)
	}
}

// TestDense leaves the ends of the network alone, unless they are named.
func TestDense(t *testing.T) {
	layers := func() []*Param {
		list := []*Param{weight("Conv", false, 4, 1, 3, 3), weight("Gemm", false, 8, 8), weight("Gemm", false, 3, 8)}
		for i, p := range list {
			p.Depth = i
		}
		return list
	}
	for _, test := range []struct {
		cfg  Pruning
		want [3]int
	}{
		{Pruning{Sparsity: Set(0.5), DenseFirst: true}, [3]int{0, 32, 12}},
		{Pruning{Sparsity: Set(0.5), DenseLast: true}, [3]int{18, 32, 0}},
		{Pruning{Sparsity: Settings{{Value: 0.5}, {Select: MustSelector("op:Conv"), Value: 0.25}}, DenseFirst: true, DenseLast: true}, [3]int{9, 32, 0}},
	} {
		params := layers()
		prunedOnce(t, test.cfg, params...)
		if got := [3]int{params[0].Zeros(), params[1].Zeros(), params[2].Zeros()}; got != test.want {
			t.Errorf("%+v: got zeros %v, want %v", test.cfg, got, test.want)
		}
	}
}

func TestKeepZeros(t *testing.T) {
	p := weight("Gemm", false, 2, 2)
	copy(p.Value, []float32{0, 3, float32(math.Copysign(0, -1)), 5})
	KeepZeros(p)
	p.Value[0], p.Value[2] = 1, 1
	p.ApplyMask()
	if p.Zeros() != 2 || p.Pruned() != 2 {
		t.Errorf("got %v, %d pruned, want the two zeros back", p.Value, p.Pruned())
	}
	if q := weight("Gemm", false, 2, 2); true {
		if KeepZeros(q); q.Mask != nil {
			t.Error("without zeros: got a mask, want none")
		}
	}
}
