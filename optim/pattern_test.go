package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// weight is a parameter of a shape, with weights that are all different.
func weight(op string, inFirst bool, shape ...int) *Param {
	n := 1
	for _, d := range shape {
		n *= d
	}
	p := &Param{Name: fmt.Sprint(op, shape), Role: Weight, Op: op, InFirst: inFirst, Shape: shape, Trainable: true, Value: make([]float32, n), Grad: make([]float32, n)}
	r := rand.New(rand.NewPCG(41, uint64(n)))
	for i := range p.Value {
		p.Value[i] = r.Float32() - 0.5
		p.Grad[i] = r.Float32() - 0.5
	}
	return p
}

// prunedOnce is p pruned as cfg says.
func prunedOnce(t *testing.T, cfg Pruning, params ...*Param) {
	t.Helper()
	pr, err := NewPruner(params, cfg)
	if err != nil {
		t.Fatal(err)
	}
	pr.Observe()
	for name, s := range pr.State() {
		for i := range s {
			if cfg.Score.Calibrated() {
				s[i] = float32(len(name) + i%7)
			}
		}
	}
	if err := pr.Step(0); err != nil {
		t.Fatal(err)
	}
}

// TestNeighbours looks at every group of neighbours along the inputs, wherever
// those lie, with axes that do not divide by M.
func TestNeighbours(t *testing.T) {
	for _, test := range []struct {
		p    *Param
		axis int
	}{
		{weight("Conv", false, 6, 8, 3, 3), 1},
		{weight("Conv", false, 6, 7, 3, 3), 1},
		{weight("Conv", false, 6, 1, 5, 5), 1}, // of one input: nothing to choose from
		{weight("Gemm", false, 5, 12), 1},
		{weight("Gemm", true, 12, 5), 0},
		{weight("MatMul", true, 16, 3), 0},
		{weight("MatMul", true, 2, 16, 3), 1},
		{weight("ConvTranspose", true, 8, 2, 2, 2), 0},
		{weight("MatMul", false, 2, 3, 16), 2}, // from the left
		{weight("LSTM", false, 2, 8, 10), 2},
	} {
		for _, pattern := range [][2]int{{2, 4}, {4, 8}, {1, 4}} {
			p := weight(test.p.Op, test.p.InFirst, test.p.Shape...)
			before := append([]float32(nil), p.Value...)
			stay, m := pattern[0], pattern[1]
			prunedOnce(t, Pruning{Pattern: Pattern(fmt.Sprintf("%d:%d", stay, m))}, p)
			length, stride := p.Shape[test.axis], 1
			for _, d := range p.Shape[test.axis+1:] {
				stride *= d
			}
			for outer := 0; outer < len(p.Value); outer += length * stride {
				for inner := range stride {
					for first := 0; first < length; first += m {
						left, lost := 0, 0
						smallest, greatest := math.Inf(1), 0.0
						for i := first; i < min(first+m, length); i++ {
							k := outer + i*stride + inner
							if p.Value[k] != 0 {
								left++
								smallest = min(smallest, math.Abs(float64(before[k])))
							} else {
								lost++
								greatest = max(greatest, math.Abs(float64(before[k])))
							}
						}
						if want := min(stay, left+lost); left != want || greatest > smallest {
							t.Fatalf("%s, %d:%d, group %d+%d: got %d left, the smallest %g, and %g gone; want the %d largest", p.Name, stay, m, outer+inner, first, left, smallest, greatest, want)
						}
					}
				}
			}
		}
	}
}

// TestNeighboursOnTheWay prunes a quarter of four on the way to half.
func TestNeighboursOnTheWay(t *testing.T) {
	p := weight("Gemm", false, 4, 8)
	pr, err := NewPruner([]*Param{p}, Pruning{Pattern: "2:4", Ramp: Ramp{End: 4, Shape: mustCourse(t, "linear")}})
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range []int{0, 0, 8, 8, 16} {
		if err := pr.Step(step); err != nil {
			t.Fatal(err)
		}
		if got := p.Zeros(); got != want {
			t.Errorf("step %d: got %d zeros of 32, want %d", step, got, want)
		}
	}
}

func mustCourse(t *testing.T, text string) Course {
	t.Helper()
	c, err := ParseCourse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGroupPatterns counts the groups that are zero as a whole, and no weight
// beside them.
func TestGroupPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern    Pattern
		p          *Param
		rows, cols int // of a group
	}{
		{"1x4", weight("Gemm", false, 8, 10), 1, 4},
		{"4x1", weight("Gemm", false, 10, 6), 4, 1},
		{"16x1", weight("Gemm", false, 32, 6), 16, 1},
		{"3x2", weight("Conv", false, 6, 4, 3, 3), 3, 2},
		{"rows", weight("Gemm", false, 9, 4), 1, 4},
		{"columns", weight("Gemm", false, 4, 9), 4, 1},
		{"filters", weight("Conv", false, 8, 3, 3, 3), 1, 27},
		{"filters", weight("MatMul", true, 5, 8), 5, 1},
	} {
		for _, sparsity := range []float64{0.3, 0.5, 0.8} {
			p := weight(test.p.Op, test.p.InFirst, test.p.Shape...)
			prunedOnce(t, Pruning{Pattern: test.pattern, Sparsity: Set(sparsity)}, p)
			m, n := p.Shape[0], len(p.Value)/p.Shape[0]
			groups, empty, zeros := 0, 0, 0
			for r := 0; r < m; r += test.rows {
				for c := 0; c < n; c += test.cols {
					size, gone := 0, 0
					for i := r; i < min(r+test.rows, m); i++ {
						for j := c; j < min(c+test.cols, n); j++ {
							size++
							if p.Value[i*n+j] == 0 {
								gone++
							}
						}
					}
					groups++
					if gone == size {
						empty, zeros = empty+1, zeros+gone
					}
				}
			}
			if want := int(math.Round(float64(groups) * sparsity)); empty != want || zeros != p.Zeros() {
				t.Errorf("%s of %s to %g: got %d of %d groups and %d zeros, want %d groups and no zero beside their %d", test.pattern, p.Name, sparsity, empty, groups, p.Zeros(), want, zeros)
			}
		}
	}
}

// TestGroupNorms prunes the group whose norm is the smallest, not the one with the
// smallest weight.
func TestGroupNorms(t *testing.T) {
	p := weight("Gemm", false, 2, 2)
	copy(p.Value, []float32{3, 0.1, 2, 2})
	prunedOnce(t, Pruning{Pattern: "rows", Sparsity: Set(0.5)}, p)
	if got, want := fmt.Sprint(p.Value), "[3 0.1 0 0]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPatternErrors(t *testing.T) {
	for want, cfg := range map[string]Pruning{
		`pattern: "4:2" is not one of N:M such as 2:4, RxC such as 4x1, rows, columns, filters`: {Pattern: "4:2"},
		`parameter "Gemm[2 2]": sparsity is 0.8, but the pattern 2:4 means 0.5`:                 {Pattern: "2:4", Sparsity: Set(0.8)},
		"pruning: rows cannot be ranked over all layers together, for groups differ in size":    {Pattern: "rows", Global: true},
		"pruning: 2:4 means one sparsity for all, which leaves nothing to allocate":             {Pattern: "2:4", Kernel: true},
		`score: "wandering" is not one of magnitude, lamp, movement, snip, wanda, random`:       {Score: "wandering"},
	} {
		if _, err := NewPruner([]*Param{weight("Gemm", false, 2, 2)}, cfg); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
