package optim

import (
	"math"
	"strings"
	"testing"
)

// TestStepClosure: L-BFGS as a rule does what it does by itself, and its state as
// slots restores it; other rules ask once.
func TestStepClosure(t *testing.T) {
	golden := readGolden(t)
	run := func(resume bool) []float32 {
		p := one(make([]float32, 6), make([]float32, 6))
		cfg := Default("lbfgs")
		cfg.LR, cfg.Iterations, cfg.History, cfg.L2 = Set(0.5), Set(3), Set(4), Set(0.1)
		o := mustNew(t, []*Param{p}, cfg)
		for i := range 5 {
			if resume && i == 2 {
				fresh := mustNew(t, []*Param{p}, cfg)
				if err := fresh.Load(o.State()); err != nil {
					t.Fatal(err)
				}
				o = fresh
			}
			if _, err := o.StepClosure(1, equations(golden, p)); err != nil {
				t.Fatal(err)
			}
		}
		if got := o.State().Step; got != 5 {
			t.Errorf("got %d steps, want 5", got)
		}
		return p.Value
	}
	p := one(make([]float32, 6), make([]float32, 6))
	alone := mustLBFGS(t, p, LBFGSConfig{LR: 0.5, Iterations: 3, History: 4, L2: 0.1})
	for range 5 {
		if _, err := alone.Step(equations(golden, p)); err != nil {
			t.Fatal(err)
		}
	}
	for what, got := range map[string][]float32{"whole": run(false), "resumed": run(true)} {
		for i, w := range p.Value {
			if math.Float32bits(got[i]) != math.Float32bits(w) {
				t.Errorf("%s: weight %d: got %g, want %g", what, i, got[i], w)
			}
		}
	}

	calls := 0
	q := one([]float32{1}, []float32{0})
	loss, err := mustNew(t, []*Param{q}, Config{Rule: "sgd", LR: Set(1)}).StepClosure(0.5, func() (float64, error) {
		calls++
		q.Grad[0] = 1
		return 7, nil
	})
	if loss != 7 || err != nil || calls != 1 || q.Value[0] != 0.5 {
		t.Errorf("sgd: got loss %g, error %v, %d calls, weight %g; want 7, none, 1, 0.5", loss, err, calls, q.Value[0])
	}
}

func TestClosureErrors(t *testing.T) {
	settings := func(text string) Settings {
		s, err := ParseSettings(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for want, cfg := range map[string]Config{
		`l1: rule lbfgs has none; all other rules do`:                                  {Rule: "lbfgs", L1: Set(1)},
		`group-lasso: rule lbfgs has none; all other rules do`:                         {Rule: "lbfgs", Group: Set(1)},
		`weight-decay: rule lbfgs has none but coupled, which is l2`:                   {Rule: "lbfgs", WeightDecay: Set(1)},
		"rule lbfgs has one learning rate, history and line-search for all parameters": {Rule: "lbfgs", LR: settings("role:bias=0.5")},
		`momentum: rule lbfgs has none; it belongs to sgd, rmsprop, lars, muon`:        {Rule: "lbfgs", Momentum: Set(0.9)},
		`history: 0 is not in [1, 10000] without fractions`:                            {Rule: "lbfgs", History: Set(0)},
	} {
		if _, err := New(network(), cfg); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	golden := readGolden(t)
	p := one(make([]float32, 6), make([]float32, 6))
	cfg := Default("lbfgs")
	o := mustNew(t, []*Param{p}, cfg)
	if _, err := o.StepClosure(1, equations(golden, p)); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*State){
		"a vector of 0 for 6 weights": func(s *State) { delete(s.Slots, "grad") },
		"a vector of 5 for 6 weights": func(s *State) { s.Slots["step0"]["w"] = s.Slots["step0"]["w"][:5] },
		"-1 iterations":               func(s *State) { s.Numbers["iterations"] = -1 },
	} {
		s := o.State()
		spoil(&s)
		if err := mustNew(t, []*Param{p}, cfg).Load(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}
