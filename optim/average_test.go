package optim

import (
	"math"
	"strings"
	"testing"
)

func TestAverage(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  Averaging
		want []float64 // after each step, of weights 1, 2, 3, …
	}{
		{"swa", Averaging{Kind: SWA}, []float64{1, 1.5, 2, 2.5, 3}},
		{"swa of every second from the fourth", Averaging{Kind: SWA, From: 3, Every: 2}, []float64{0, 0, 0, 4, 4, 5}},
		{"swa of more steps than there are", Averaging{Kind: SWA, Every: 9}, []float64{0, 0, 0}},
		{"ema", Averaging{Kind: EMA, Decay: 0.1}, []float64{1, 1.9, 2.89, 3.889, 4.8889}},
		{"ema, slow start", Averaging{Kind: EMA, Decay: 0.99}, []float64{1, 1 + 9./11, 2.704545, 3.601399, 4.5004996}},
		{"none", Averaging{}, []float64{0, 0, 0}},
	} {
		p := one([]float32{0, 0}, nil)
		p.Mask = []bool{true, false}
		a, err := NewAverage([]*Param{p}, test.cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range test.want {
			p.Value[0] = float32(i + 1)
			a.Step(i)
			a.Swap()
			got := p.Value
			if a.State().Count == 0 {
				got = []float32{0, 0}
			}
			if math.Abs(float64(got[0])-want) > 1e-5 || got[1] != 0 {
				t.Errorf("%s, step %d: got %v, want %g and 0", test.name, i, got, want)
			}
			a.Swap()
			if p.Value[0] != float32(i+1) {
				t.Errorf("%s, step %d: the weight came back as %g", test.name, i, p.Value[0])
			}
		}
	}
}

func TestAverageResumes(t *testing.T) {
	params := randomParams(3)
	cfg := Averaging{Kind: EMA, Decay: 0.9}
	whole, err := NewAverage(params, cfg)
	if err != nil {
		t.Fatal(err)
	}
	half, err := NewAverage(params, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if i == 5 {
			fresh, err := NewAverage(params, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := fresh.Load(half.State()); err != nil {
				t.Fatal(err)
			}
			half = fresh
		}
		params[0].Value[1], params[1].Value[2] = float32(i), 1/float32(i+1)
		whole.Step(i)
		half.Step(i)
	}
	for name, want := range whole.State().Values {
		for i, got := range half.State().Values[name] {
			if got != want[i] {
				t.Fatalf("%s[%d]: got %g, want %g", name, i, got, want[i])
			}
		}
	}
	for want, spoil := range map[string]func(*AverageState){
		"is missing":         func(s *AverageState) { delete(s.Values, "a") },
		"has 3 values":       func(s *AverageState) { s.Values["a"] = make([]float32, 3) },
		"count -1":           func(s *AverageState) { s.Count = -1 },
		"is not one of this": func(s *AverageState) { s.Values["c"] = nil },
	} {
		fresh, err := NewAverage(params, cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := fresh.State()
		spoil(&s)
		if err := whole.Load(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
	for want, cfg := range map[string]Averaging{
		`average: "mean" is not one of ema, swa`:     {Kind: "mean"},
		"average decay: NaN is not in [0, 1)":        {Kind: EMA, Decay: math.NaN()},
		"average from: step -1 is not in [0, inf)":   {Kind: SWA, From: -1},
		"average every: -1 steps is not in [0, inf)": {Kind: SWA, Every: -1},
	} {
		if _, err := NewAverage(params, cfg); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
