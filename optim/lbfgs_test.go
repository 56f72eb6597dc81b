package optim

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// equations is the problem of the recorded trajectories: Σ(Aw − b)² + Σw⁴.
func equations(golden trajectories, p *Param) func() (float64, error) {
	return func() (float64, error) {
		loss := 0.0
		clear(p.Grad)
		for i, row := range golden.LBFGS.Matrix {
			r := -float64(golden.LBFGS.Rest[i])
			for j, a := range row {
				r += float64(a) * float64(p.Value[j])
			}
			loss += r * r
			for j, a := range row {
				p.Grad[j] += float32(2 * r * float64(a))
			}
		}
		for j, w := range p.Value {
			loss += math.Pow(float64(w), 4)
			p.Grad[j] += 4 * w * w * w
		}
		return loss, nil
	}
}

func mustLBFGS(t *testing.T, p *Param, cfg LBFGSConfig) *LBFGS {
	t.Helper()
	o, err := NewLBFGS([]*Param{p}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestLBFGSGolden(t *testing.T) {
	golden := readGolden(t)
	for history, want := range map[int][][]float32{100: golden.LBFGS.History100, 3: golden.LBFGS.History3} {
		p := one(make([]float32, 6), make([]float32, 6))
		o := mustLBFGS(t, p, LBFGSConfig{LR: 0.5, Iterations: 5, History: history})
		closure, worst := equations(golden, p), 0.0
		for _, weights := range want {
			if _, err := o.Step(closure); err != nil {
				t.Fatal(err)
			}
			worst = max(worst, relError(p.Value, weights))
		}
		t.Logf("history %d: largest relative error %.2g", history, worst)
		if !(worst <= 1e-6) {
			t.Errorf("history %d: largest relative error: got %.3g, want at most 1e-6", history, worst)
		}
	}
}

// rosenbrock is a bent valley, 100(y − x²)² + (1 − x)², in which steps of fixed
// length get lost.
func rosenbrock(p *Param) func() (float64, error) {
	return func() (float64, error) {
		x, y := float64(p.Value[0]), float64(p.Value[1])
		p.Grad[0], p.Grad[1] = float32(-400*x*(y-x*x)-2*(1-x)), float32(200*(y-x*x))
		return 100*(y-x*x)*(y-x*x) + (1-x)*(1-x), nil
	}
}

// TestLBFGSLineSearch follows PyTorch's strong_wolfe, with first lengths of all
// kinds.
func TestLBFGSLineSearch(t *testing.T) {
	golden := readGolden(t)
	valley := func(_ trajectories, p *Param) func() (float64, error) { return rosenbrock(p) }
	for _, test := range []struct {
		name    string
		start   []float32
		closure func(trajectories, *Param) func() (float64, error)
		cfg     LBFGSConfig
		want    [][]float32
		most    float64 // relative error; that of float32 grows on a long way
	}{
		{"wolfe", make([]float32, 6), equations, LBFGSConfig{Iterations: 3, Evaluations: 50}, golden.LBFGS.Wolfe, 1e-6},
		{"far", make([]float32, 6), equations, LBFGSConfig{LR: 100, Iterations: 3, Evaluations: 50}, golden.LBFGS.Far, 1e-6},
		{"near", make([]float32, 6), equations, LBFGSConfig{LR: 0.01, Iterations: 3, Evaluations: 50}, golden.LBFGS.Near, 1e-5},
		{"rosenbrock", []float32{-1.2, 1}, valley, LBFGSConfig{Iterations: 5, Evaluations: 100}, golden.LBFGS.Rosenbrock, 1e-4},
	} {
		p := one(test.start, make([]float32, len(test.start)))
		test.cfg.LineSearch = true
		o := mustLBFGS(t, p, test.cfg)
		closure, worst := test.closure(golden, p), 0.0
		for _, want := range test.want {
			if _, err := o.Step(closure); err != nil {
				t.Fatal(err)
			}
			worst = max(worst, relError(p.Value, want))
		}
		t.Logf("%s: largest relative error %.2g", test.name, worst)
		if !(worst <= test.most) {
			t.Errorf("%s: largest relative error: got %.3g, want at most %g", test.name, worst, test.most)
		}
	}
}

// TestLBFGSValley goes all the way down the valley, and back out of where there is
// no loss.
func TestLBFGSValley(t *testing.T) {
	p := one([]float32{-1.2, 1}, make([]float32, 2))
	o := mustLBFGS(t, p, LBFGSConfig{LineSearch: true, Iterations: 60, Evaluations: 200})
	first, err := o.Step(rosenbrock(p))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(first-24.2) > 1e-4 {
		t.Errorf("got a first loss of %g, want 24.2", first)
	}
	if math.Abs(float64(p.Value[0]-1)) > 1e-3 || math.Abs(float64(p.Value[1]-1)) > 1e-3 {
		t.Errorf("got the minimum %v after %d iterations, want [1 1]", p.Value, o.State().Iterations)
	}
	// w − log w, no number below 0, where the first step leads.
	p = one([]float32{3}, make([]float32, 1))
	o = mustLBFGS(t, p, LBFGSConfig{LR: 8, LineSearch: true})
	if _, err := o.Step(func() (float64, error) {
		w := float64(p.Value[0])
		p.Grad[0] = float32(1 - 1/w)
		return w - math.Log(w), nil
	}); err != nil || math.Abs(float64(p.Value[0]-1)) > 1e-3 {
		t.Errorf("got %v, %v, want 1", p.Value, err)
	}
}

func TestLBFGSResumesAndMasks(t *testing.T) {
	golden := readGolden(t)
	run := func(resume bool) []float32 {
		p := one(make([]float32, 6), make([]float32, 6))
		p.Value[2] = 0
		p.Mask = []bool{true, true, false, true, true, true}
		cfg := LBFGSConfig{LR: 0.5, Iterations: 3, L2: 0.1}
		o := mustLBFGS(t, p, cfg)
		for i := range 6 {
			if resume && i == 3 {
				fresh := mustLBFGS(t, p, cfg)
				if err := fresh.Load(o.State()); err != nil {
					t.Fatal(err)
				}
				o = fresh
			}
			if _, err := o.Step(equations(golden, p)); err != nil {
				t.Fatal(err)
			}
		}
		return p.Value
	}
	whole, resumed := run(false), run(true)
	for i, w := range whole {
		if resumed[i] != w {
			t.Errorf("weight %d: got %g resumed, want %g", i, resumed[i], w)
		}
	}
	if whole[2] != 0 {
		t.Errorf("pruned weight: got %g, want 0", whole[2])
	}
}

func TestLBFGSErrors(t *testing.T) {
	p := one([]float32{1, 2}, make([]float32, 2))
	for want, cfg := range map[string]LBFGSConfig{
		"lr: -1 is not in [0, inf)":         {LR: -1},
		"lr: NaN is not in [0, inf)":        {LR: math.NaN()},
		"history: -1 is not in [0, inf)":    {History: -1},
		"iterations: -3 is not in [0, inf)": {Iterations: -3},
	} {
		if _, err := NewLBFGS([]*Param{p}, cfg); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	o := mustLBFGS(t, p, LBFGSConfig{})
	broken := errors.New("broken")
	if _, err := o.Step(func() (float64, error) { return 0, broken }); err != broken {
		t.Errorf("got error %v, want that of the closure", err)
	}
	if err := o.Load(LBFGSState{Steps: [][]float32{{1}}, Changes: [][]float32{{1}}}); err == nil || !strings.Contains(err.Error(), "a vector of 1 for 2 weights") {
		t.Errorf("got error %v", err)
	}
}
