package optim

import (
	"fmt"
	"math"
	"strings"
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
	for text, want := range map[string][3]float64{ // at 35, 60 and 109 of 10 to 110
		"linear":                        {0.3, 0.5, 0.9 - 0.8*0.01},
		"polynomial:power=3":            {0.9 - 0.8*27./64, 0.8, 0.9 - 0.8*1e-6},
		"constant":                      {0.1, 0.1, 0.1},
		"multistep:at=0.3+50,gamma=0.5": {0.1, 0.7, 0.7},
		"exponential:every=1ep":         {0.9 - 0.8*math.Pow(0.9, 2.5), 0.9 - 0.8*math.Pow(0.9, 5), 0.9 - 0.8*math.Pow(0.9, 9.9)},
	} {
		var err error
		if r.Shape, err = ParseCourse(text); err != nil {
			t.Fatal(err)
		}
		r.PerEpoch = 10
		for i, step := range []int{35, 60, 109} {
			if got := r.At(step, 0.9); math.Abs(got-want[i]) > 1e-12 {
				t.Errorf("%s, step %d: got sparsity %g, want %g", text, step, got, want[i])
			}
		}
		if math.Abs(r.At(10, 0.9)-0.1) > 1e-12 || r.At(110, 0.9) != 0.9 {
			t.Errorf("%s: got %g and %g at the ends, want 0.1 and 0.9", text, r.At(10, 0.9), r.At(110, 0.9))
		}
	}
	for _, text := range []string{"plateau", "linear:warmup=5"} {
		c, err := ParseCourse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := (Ramp{Shape: c}).Check(); err == nil || !strings.Contains(err.Error(), "prune schedule: ") {
			t.Errorf("%s: got error %v", text, err)
		}
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
