package optim

import (
	"math"
	"testing"
)

func TestClip(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	a := one(make([]float32, 2), []float32{3, -1})
	a.Name = "a"
	frozen := one(make([]float32, 1), []float32{100})
	frozen.Trainable = false
	ClipValue([]*Param{a, frozen}, 2)
	if a.Grad[0] != 2 || a.Grad[1] != -1 || frozen.Grad[0] != 100 {
		t.Errorf("ClipValue: got %v and frozen %v, want [2 -1] and [100]", a.Grad, frozen.Grad)
	}
	a.Grad = []float32{nan, -inf}
	ClipValue([]*Param{a}, 2)
	if a.Grad[0] == a.Grad[0] || a.Grad[1] != -2 {
		t.Errorf("ClipValue: got %v, want [NaN -2]", a.Grad)
	}

	b := one(make([]float32, 2), []float32{0, 4})
	a.Grad = []float32{3, 9}
	a.Mask = []bool{true, false} // the 9 belongs to a pruned weight
	params := []*Param{a, b, frozen}
	if got := ClipNorm(params, 6); got != 5 || a.Grad[0] != 3 {
		t.Errorf("ClipNorm below the limit: got norm %g and gradient %g, want 5 and 3", got, a.Grad[0])
	}
	if got := ClipNorm(params, 1); got != 5 {
		t.Errorf("ClipNorm: got norm %g, want 5", got)
	}
	// torch.nn.utils.clip_grad_norm_ gives the same.
	if got, want := b.Grad[1], float32(4)*float32(1/(5+1e-6)); got != want || frozen.Grad[0] != 100 {
		t.Errorf("ClipNorm: got %g and frozen %g, want %g and 100", got, frozen.Grad[0], want)
	}
	for _, bad := range []float32{nan, inf} {
		a.Grad[0], b.Grad[1] = bad, 4
		if got := ClipNorm(params, 1); !(math.IsNaN(got) || math.IsInf(got, 1)) || b.Grad[1] != 4 {
			t.Errorf("ClipNorm of %g: got norm %g and gradient %g, want a norm that is not finite and 4", bad, got, b.Grad[1])
		}
	}
}

func TestClipAdaptive(t *testing.T) {
	a := one([]float32{3, 4, 0, 0}, []float32{6, 8, 1e-5, 0})
	a.Shape = []int{2, 2}
	b := one([]float32{0, 2}, []float32{3, 4})
	b.Shape = []int{2}
	ClipAdaptive([]*Param{a, b}, 0.5)
	// Row 0: limit·5 = 2.5 of 10; row 1 is below 0.5·1e-3; the vector: 1 of 5.
	for i, want := range []float32{1.5, 2, 1e-5, 0} {
		if got := a.Grad[i]; math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("matrix, %d: got %g, want %g", i, got, want)
		}
	}
	if b.Grad[0] != 0.6 || b.Grad[1] != 0.8 {
		t.Errorf("vector: got %v, want [0.6 0.8]", b.Grad)
	}
	a.Mask = []bool{true, false, true, true}
	a.Grad = []float32{2, 100, float32(math.NaN()), 1}
	ClipAdaptive([]*Param{a}, 0.5)
	if a.Grad[0] != 2 || a.Grad[3] != 1 {
		t.Errorf("masked, and NaN: got %v, want [2 100 NaN 1]", a.Grad)
	}
}

func TestCentralize(t *testing.T) {
	a := one(make([]float32, 6), []float32{1, 2, 6, -1, 0, 4})
	a.Shape = []int{2, 3}
	a.Mask = []bool{true, true, true, true, true, false}
	b := one(make([]float32, 2), []float32{1, 2})
	b.Shape = []int{2}
	Centralize([]*Param{a, b})
	for i, want := range []float32{-2, -1, 3, -0.5, 0.5} {
		if got := a.Grad[i]; got != want {
			t.Errorf("matrix, %d: got %g, want %g", i, got, want)
		}
	}
	if b.Grad[0] != 1 || b.Grad[1] != 2 {
		t.Errorf("vector: got %v, want [1 2]", b.Grad)
	}
}
