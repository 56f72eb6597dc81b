package optim

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"finetune/internal/corpus"
)

// TestSchedule pins down the value at step 0, at the last step of the warm-up,
// right after it, in the middle, and at the last step.
func TestSchedule(t *testing.T) {
	for _, test := range []struct {
		name   string
		s      Schedule
		values map[int]float64 // by step, of 100
	}{
		{"flat", Flat(), map[int]float64{0: 1, 50: 1, 99: 1, 100: 1}},
		{"linear", Linear(1, 0), map[int]float64{0: 1, 50: 0.5, 99: 0.01, 100: 0, 200: 0}},
		{"linear to 0.1", Linear(1, 0.1), map[int]float64{0: 1, 50: 0.55, 99: 0.109, 100: 0.1}},
		{"cosine", Cosine(0), map[int]float64{0: 1, 50: 0.5, 99: (1 + math.Cos(0.99*math.Pi)) / 2, 100: 0}},
		{"cosine to 0.1", Cosine(0.1), map[int]float64{0: 1, 50: 0.55, 100: 0.1}},
		{"hold, linear", Hold(75, Linear(1, 0)), map[int]float64{0: 1, 74: 1, 75: 1, 80: 0.8, 99: 0.04, 100: 0}},
		{"hold longer than the run", Hold(200, Linear(1, 0)), map[int]float64{0: 1, 99: 1}},
		{"warm-up, flat", Warmup(10, Flat()), map[int]float64{0: 0, 5: 0.5, 9: 0.9, 10: 1, 99: 1}},
		{"warm-up, cosine", Warmup(20, Cosine(0)), map[int]float64{0: 0, 19: 0.95, 20: 1, 60: 0.5, 99: (1 + math.Cos(79*math.Pi/80)) / 2}},
		{"warm-up longer than the run", Warmup(200, Cosine(0)), map[int]float64{0: 0, 99: 0.495}},
	} {
		for step, want := range test.values {
			if got := test.s(step, 100); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s at step %d: got %g, want %g", test.name, step, got, want)
			}
		}
	}
	if got := Linear(1, 0.25)(0, 0); got != 0.25 {
		t.Errorf("linear of no steps: got %g, want 0.25", got)
	}
}

// TestCourses pins each course down at step 0, at the end of its warm-up, in the
// middle and at the last step of 100, with 10 in an epoch.
func TestCourses(t *testing.T) {
	run := Run{Steps: 100, PerEpoch: 10}
	last := func(x float64) float64 { return (1 + math.Cos(math.Pi*x)) / 2 }
	for _, test := range []struct {
		text   string
		values map[int]float64
	}{
		{"constant", map[int]float64{0: 1, 99: 1}},
		{"constant:warmup=10", map[int]float64{0: 0, 9: 0.9, 10: 1, 99: 1}},
		{"constant:warmup=0.2", map[int]float64{0: 0, 10: 0.5, 20: 1}},
		{"constant:warmup=3ep", map[int]float64{0: 0, 15: 0.5, 30: 1}},
		{"linear", map[int]float64{0: 1, 50: 0.5, 99: 0.01}},
		{"linear:from=0,to=1", map[int]float64{0: 0, 50: 0.5, 99: 0.99, 100: 1}},
		{"linear:warmup=20,to=0.5", map[int]float64{0: 0, 20: 1, 60: 0.75, 100: 0.5}},
		{"step", map[int]float64{0: 1, 9: 1, 10: 0.1, 99: 1e-9}},
		{"step:every=30,gamma=0.5", map[int]float64{0: 1, 29: 1, 30: 0.5, 60: 0.25, 99: 0.125}},
		{"multistep", map[int]float64{0: 1, 49: 1, 50: 0.1, 75: 0.01, 99: 0.01}},
		{"multistep:at=2+4ep,gamma=0.5", map[int]float64{0: 1, 1: 1, 2: 0.5, 39: 0.5, 40: 0.25, 99: 0.25}},
		{"exponential", map[int]float64{0: 1, 10: 0.9, 20: 0.81, 99: math.Pow(0.9, 9.9)}},
		{"exponential:every=1,gamma=0.99", map[int]float64{0: 1, 1: 0.99, 99: math.Pow(0.99, 99)}},
		{"polynomial", map[int]float64{0: 1, 50: 0.25, 99: 1e-4}},
		{"cubic:floor=0.5", map[int]float64{0: 1, 50: 0.5625, 100: 0.5}},
		{"polynomial:power=3,floor=0.5", map[int]float64{0: 1, 50: 0.5625, 100: 0.5}},
		{"cosine", map[int]float64{0: 1, 50: 0.5, 99: last(0.99)}},
		{"cosine:floor=0.1,warmup=0.5", map[int]float64{0: 0, 50: 1, 75: 0.55, 100: 0.1}},
		{"cosine:cycles=2", map[int]float64{0: 1, 25: 0.5, 49: last(0.98), 50: 1, 75: 0.5, 99: last(0.98), 100: 0}},
		{"cosine:cycles=2,stretch=3", map[int]float64{0: 1, 24: last(0.96), 25: 1, 62: last(37.0 / 75), 100: 0}},
		{"onecycle", map[int]float64{0: 0.04, 29: 1, 99: 4e-6}},
		{"onecycle:peak=0.5,start=0.1,end=0.2", map[int]float64{0: 0.1, 49: 1, 74: 0.6, 99: 0.2}},
		{"inverse-root:warmup=25", map[int]float64{0: 0, 24: 0.96, 25: 1, 99: math.Sqrt(25.0 / 99), 100: 0.5}},
		{"inverse-root:scale=4", map[int]float64{0: 1, 12: 0.5, 99: math.Sqrt(4.0 / 103)}},
		{"stable", map[int]float64{0: 1, 80: 1, 90: 0.5, 99: 0.05}},
		{"stable:decay=50,floor=0.5,warmup=10", map[int]float64{0: 0, 10: 1, 50: 1, 75: 0.75, 100: 0.5}},
		{"plateau", map[int]float64{0: 1, 99: 1}},
	} {
		c, err := ParseCourse(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		s := c.Schedule(run, 0)
		for step, want := range test.values {
			if got := s(step, run.Steps); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s at step %d: got %g, want %g", test.text, step, got, want)
			}
		}
	}
	c, err := ParseCourse("cosine:warmup=10")
	if err != nil {
		t.Fatal(err)
	}
	held := c.Schedule(run, 50)
	for step, want := range map[int]float64{0: 0, 10: 1, 49: 1, 50: 1, 75: 0.5, 100: 0} {
		if got := held(step, 100); math.Abs(got-want) > 1e-12 {
			t.Errorf("held at step %d: got %g, want %g", step, got, want)
		}
	}
}

// FuzzCourse: what is read at all is a factor that a step can take, at any step of
// runs of any length, and is written as it was read.
func FuzzCourse(f *testing.F) {
	for _, text := range []string{"constant", "linear:from=2,to=0.5", "step:every=0.3", "multistep:at=1+2ep+0.5", "exponential:every=1e-9", "polynomial:power=0",
		"cosine:cycles=3,stretch=2,warmup=0.5", "onecycle:peak=0", "onecycle:peak=0.1", "onecycle:peak=1", "inverse-root:warmup=1ep", "stable:decay=1e9", "plateau"} {
		f.Add(text, 10, 3)
	}
	f.Fuzz(func(t *testing.T, text string, steps, perEpoch int) {
		c, err := ParseCourse(text)
		if err != nil {
			return
		}
		if c.String() != text {
			t.Errorf("%q is written as %q", text, c)
		}
		steps, perEpoch = max(0, min(steps, 1000)), max(0, min(perEpoch, 1000))
		for _, hold := range []int{0, steps / 2, steps} {
			s := c.Schedule(Run{Steps: steps, PerEpoch: perEpoch}, hold)
			for step := range steps + 2 {
				if v := s(step, steps); !nonNegative.contains(v) {
					t.Fatalf("%q of %d steps, %d an epoch, held to %d: got %g at step %d", text, steps, perEpoch, hold, v, step)
				}
			}
		}
	})
}

func TestCourseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"cosin":               `schedule: "cosin" is not one of constant, linear, step, multistep, exponential, polynomial, cubic, cosine, onecycle, inverse-root, stable, plateau`,
		"cosine:cycle=2":      `schedule "cosine:cycle=2": cosine has no "cycle"`,
		"cosine:cycles=0":     `schedule "cosine:cycles=0": cycles: 0 is not in [1, 100] without fractions`,
		"cosine:cycles=1.5":   `schedule "cosine:cycles=1.5": cycles: 1.5 is not in [1, 100] without fractions`,
		"cosine:floor=nan":    `schedule "cosine:floor=nan": floor: NaN is not in [0, inf)`,
		"cosine:floor":        `schedule "cosine:floor": want KEY=VALUE, once each, not "floor"`,
		"cosine:":             ``,
		"step:every=0":        `schedule "step:every=0": every: a length of 0`,
		"step:every=-1":       `schedule "step:every=-1": every: "-1" is not a number of steps, a share below 1, or a number of epochs such as 2ep`,
		"linear:to=x":         `schedule "linear:to=x": to: "x" is not a number`,
		"linear:to=1,to=2":    `schedule "linear:to=1,to=2": want KEY=VALUE, once each, not "to=2"`,
		"constant:warmup=1.e": `schedule "constant:warmup=1.e": warmup: "1.e" is not a number of steps, a share below 1, or a number of epochs such as 2ep`,
		"plateau:factor=1":    `schedule "plateau:factor=1": factor: 1 is not in [0, 1)`,
	} {
		if _, err := ParseCourse(text); err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s: got error %v, want %s", text, err, want)
		}
	}
}

// TestONNXRuntimeSchedule replays the traces of ONNX Runtime's linear schedule,
// with warm-ups of none, 30, 70 and more steps than there are.
func TestONNXRuntimeSchedule(t *testing.T) {
	for file, warmup := range map[string]int{
		"warmup_linear_scheduler_warmupstep-0.json":           0,
		"warmup_linear_scheduler_warmupstep-30.json":          30,
		"warmup_linear_scheduler_warmupstep-70.json":          70,
		"warmup_linear_scheduler_warmupstep-200.json":         200,
		"warmup_linear_scheduler_warmupstep-30_restored.json": 30,
	} {
		text, err := os.ReadFile(corpus.Path(t, "golden/ort-lr-schedule/"+file))
		if err != nil {
			t.Fatal(err)
		}
		var trace [][2]json.RawMessage // step, [learning rate]
		if err := json.Unmarshal(text, &trace); err != nil {
			t.Fatal(err)
		}
		c, err := ParseCourse("linear")
		if err != nil {
			t.Fatal(err)
		}
		s := c.Warmed(Length{N: float64(warmup)}).Schedule(Run{Steps: 100}, 0)
		worst := 0.0
		if len(trace) < 49 {
			t.Errorf("%s: got %d steps, want at least 49", file, len(trace))
		}
		for _, entry := range trace {
			var step int
			var want [1]float64
			if err := json.Unmarshal(entry[0], &step); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(entry[1], &want); err != nil {
				t.Fatal(err)
			}
			got := 1e-3 * s(step, 100)
			if worst = max(worst, math.Abs(got-want[0])/1e-3); worst > 1e-12 {
				t.Errorf("%s, step %d: got %g, want %g", file, step, got, want[0])
			}
		}
		t.Logf("%s: largest error, of the full rate, %.2g", file, worst)
	}
}
