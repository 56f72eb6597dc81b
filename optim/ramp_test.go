package optim

import (
	"fmt"
	"math"
	"testing"
)

func TestRamp(t *testing.T) {
	r := Ramp{Begin: 10, End: 110, Every: 25, Initial: 0.1}
	for step, want := range map[int]float64{
		0: 0, 9: 0, 10: 0.1, 60: 0.9 - 0.8*0.125, 109: 0.9 - 0.8*1e-6, 110: 0.9, 500: 0.9,
	} {
		if got := r.At(step, 0.9); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: got sparsity %g, want %g", step, got, want)
		}
	}
	if got := r.At(10, 0.05); got != 0.05 {
		t.Errorf("final below initial: got %g, want 0.05", got)
	}
	var due []int
	for step := range 200 {
		if r.Due(step) {
			due = append(due, step)
		}
	}
	if got, want := fmt.Sprint(due), "[10 35 60 85 110]"; got != want {
		t.Errorf("due: got %s, want %s", got, want)
	}
	if r := (Ramp{Begin: 3, End: 12, Every: 5}); !r.Due(12) || r.Due(11) || r.Due(13) {
		t.Error("the end is not due exactly")
	}
	if r := (Ramp{}); !r.Due(0) || r.Due(1) || r.At(0, 0.9) != 0.9 {
		t.Error("the zero Ramp does not prune all at step 0 only")
	}
}
