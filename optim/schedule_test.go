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
		{"linear", Linear(0), map[int]float64{0: 1, 50: 0.5, 99: 0.01, 100: 0, 200: 0}},
		{"linear to 0.1", Linear(0.1), map[int]float64{0: 1, 50: 0.55, 99: 0.109, 100: 0.1}},
		{"cosine", Cosine(0), map[int]float64{0: 1, 50: 0.5, 99: (1 + math.Cos(0.99*math.Pi)) / 2, 100: 0}},
		{"cosine to 0.1", Cosine(0.1), map[int]float64{0: 1, 50: 0.55, 100: 0.1}},
		{"hold, linear", Hold(75, Linear(0)), map[int]float64{0: 1, 74: 1, 75: 1, 80: 0.8, 99: 0.04, 100: 0}},
		{"hold longer than the run", Hold(200, Linear(0)), map[int]float64{0: 1, 99: 1}},
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
	if got := Linear(0.25)(0, 0); got != 0.25 {
		t.Errorf("linear of no steps: got %g, want 0.25", got)
	}
}

func TestParseSchedule(t *testing.T) {
	for name, want := range map[string]float64{"constant": 1, "linear": 0.5, "cosine": 0.5} {
		s, err := ParseSchedule(name, 20)
		if err != nil {
			t.Fatal(err)
		}
		if got := s(60, 100); math.Abs(got-want) > 1e-12 || s(0, 100) != 0 {
			t.Errorf("%s: got %g at step 60 and %g at step 0, want %g and 0", name, got, s(0, 100), want)
		}
	}
	if _, err := ParseSchedule("cosin", 0); err == nil || err.Error() != `schedule: "cosin" is not one of constant, linear, cosine` {
		t.Errorf("got error %v", err)
	}
	if _, err := ParseSchedule("cosine", -1); err == nil || err.Error() != "warm-up: -1 steps is not in [0, inf)" {
		t.Errorf("got error %v", err)
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
		s, err := ParseSchedule("linear", warmup)
		if err != nil {
			t.Fatal(err)
		}
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
			if got := 1e-3 * s(step, 100); math.Abs(got-want[0]) > 1e-15 {
				t.Errorf("%s, step %d: got %g, want %g", file, step, got, want[0])
			}
		}
	}
}
