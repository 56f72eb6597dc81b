package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"finetune/internal/kernel"
)

// one is a parameter of role weight with the given values and gradients.
func one(value, grad []float32) *Param {
	return &Param{Name: "w", Role: Weight, Shape: []int{1, len(value)}, Trainable: true, Value: value, Grad: grad}
}

func mustNew(tb testing.TB, params []*Param, cfg Config) *Optimizer {
	tb.Helper()
	o, err := New(params, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// TestByHand takes one step of SGD with learning rate 1, where every result can
// be worked out in the head.
func TestByHand(t *testing.T) {
	nan := float32(math.NaN())
	minus0 := float32(math.Copysign(0, -1))
	for _, test := range []struct {
		name          string
		cfg           Config
		w, g          []float32
		scale         float64
		want          []float32
		positiveZeros bool
	}{
		{name: "plain", w: []float32{1, -2, 0}, g: []float32{0.5, 1, -3}, want: []float32{0.5, -3, 3}},
		{name: "half the learning rate", scale: 0.5, w: []float32{1, -2, 0}, g: []float32{0.5, 1, -3}, want: []float32{0.75, -2.5, 1.5}},
		{name: "l2", cfg: Config{L2: Set(0.5)}, w: []float32{1, -2, 0}, g: []float32{0, 1, 0}, want: []float32{0.5, -2, 0}},
		{name: "l1 subgradient", cfg: Config{L1: Set(0.25)}, w: []float32{1, -1, 0, minus0, 0.125, nan},
			g: make([]float32, 6), want: []float32{0.75, -0.75, 0, 0, -0.125, nan}},
		{name: "l1 proximal", cfg: Config{L1: Set(0.25), L1Mode: Proximal}, w: []float32{1, -1, 0, minus0, 0.125, -0.125, 0.25, -0.25, -0.5, nan},
			g: make([]float32, 10), want: []float32{0.75, -0.75, 0, 0, 0, 0, 0, 0, -0.25, nan}, positiveZeros: true},
		{name: "l1 proximal after the update", cfg: Config{L1: Set(0.25), L1Mode: Proximal}, w: []float32{1, 1, -1},
			g: []float32{0.5, 1.125, -1}, want: []float32{0.25, 0, 0}, positiveZeros: true},
		{name: "l1 proximal follows the learning rate", scale: 0.5, cfg: Config{L1: Set(0.25), L1Mode: Proximal},
			w: []float32{1, 0.125}, g: make([]float32, 2), want: []float32{0.875, 0}},
		{name: "decoupled decay", scale: 0.5, cfg: Config{WeightDecay: Set(0.5)}, w: []float32{1, -2, 0}, g: make([]float32, 3), want: []float32{0.75, -1.5, 0}},
		{name: "absolute decay", scale: 0.5, cfg: Config{WeightDecay: Set(0.5), DecayMode: Absolute}, w: []float32{1, -2, 0}, g: make([]float32, 3), want: []float32{0.5, -1, 0}},
		{name: "absolute decay of all", cfg: Config{WeightDecay: Set(1), DecayMode: Absolute}, w: []float32{1, -2}, g: []float32{1, 1}, want: []float32{0, 0}},
		{name: "decay after the update", cfg: Config{WeightDecay: Set(0.5)}, w: []float32{1, -2}, g: []float32{-1, 2}, want: []float32{1, -2}},
		{name: "decay, then soft threshold", cfg: Config{WeightDecay: Set(0.5), L1: Set(0.25), L1Mode: Proximal}, w: []float32{1, -2}, g: []float32{0, 0}, want: []float32{0.25, -0.75}},
		{name: "adamw decays before the update", cfg: Config{Rule: "adamw", Beta1: Set(0), Beta2: Set(0), Eps: Set(0), WeightDecay: Set(0.5)},
			w: []float32{1, -2}, g: []float32{-3, 7}, want: []float32{1.5, -2}},
		{name: "adam decays after the update", cfg: Config{Rule: "adam", Beta1: Set(0), Beta2: Set(0), Eps: Set(0), WeightDecay: Set(0.5)},
			w: []float32{1, -2}, g: []float32{-3, 7}, want: []float32{1, -1.5}},
		{name: "a rate of zero", cfg: Config{Rule: "adam", LR: Set(0)}, w: []float32{1, -2}, g: []float32{-3, 7}, want: []float32{1, -2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.cfg.Rule == "" {
				test.cfg.Rule = "sgd"
			}
			if test.cfg.LR == nil {
				test.cfg.LR = Set(1)
			}
			if test.scale == 0 {
				test.scale = 1
			}
			p := one(test.w, test.g)
			mustNew(t, []*Param{p}, test.cfg).Step(test.scale)
			for i, want := range test.want {
				got := p.Value[i]
				if got != want && !(got != got && want != want) {
					t.Errorf("weight %d: got %g, want %g", i, got, want)
				}
				if test.positiveZeros && got == 0 && math.Signbit(float64(got)) {
					t.Errorf("weight %d: got -0, want +0", i)
				}
			}
		})
	}
}

// everything is a configuration that puts every link into the chain.
func everything(rule string) Config {
	cfg := Default(rule)
	cfg.L1, cfg.L2, cfg.WeightDecay = Set(1e-3), Set(1e-3), Set(1e-2)
	cfg.LR = Settings{{Value: 0.01}, {Select: MustSelector("b"), Value: 0.002}}
	switch rule {
	case "sgd":
		cfg.Momentum, cfg.Nesterov = Set(0.9), Set(1)
	case "rmsprop":
		cfg.Momentum, cfg.Centered = Set(0.9), Set(1)
	}
	return cfg
}

// stepped are the rules that Step is for.
func stepped() []rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return r.Closure })
}

// TestAllocations: beside a few words for norms, a step allocates nothing.
func TestAllocations(t *testing.T) {
	for _, rule := range stepped() {
		params := randomParams(7)
		o := mustNew(t, params, everything(rule.Name))
		feed(params, 0)
		o.Step(1)
		o.Step(1)
		if got := testing.AllocsPerRun(5, func() { o.Step(1e-3) }); got > 30 {
			t.Errorf("%s: got %v allocations a step, want at most 30", rule.Name, got)
		} else {
			t.Logf("%s: %v allocations", rule.Name, got)
		}
	}
}

// randomParams are two parameters, longer than a task and odd, one with a mask.
func randomParams(seed uint64) []*Param {
	r := rand.New(rand.NewPCG(seed, 1))
	var params []*Param
	for i, n := range []int{2*taskLen + 3*1024 + 7, 301} {
		p := one(make([]float32, n), make([]float32, n))
		p.Name, p.Shape = string(rune('a'+i)), [][]int{{7, 5121}, {43, 7}}[i]
		for j := range p.Value {
			p.Value[j] = r.Float32() - 0.5
		}
		params = append(params, p)
	}
	PruneMagnitude(params[0], 0.4)
	return params
}

// feed fills the gradients for step t from the parameters and from t alone.
func feed(params []*Param, t int) {
	r := rand.New(rand.NewPCG(9, uint64(t)))
	for _, p := range params {
		for j, w := range p.Value {
			p.Grad[j] = 0.5*w + r.Float32() - 0.5
		}
	}
}

func sameBits(t *testing.T, what string, got, want []*Param) {
	t.Helper()
	for k, p := range want {
		for i, w := range p.Value {
			if math.Float32bits(got[k].Value[i]) != math.Float32bits(w) {
				t.Fatalf("%s: %s[%d]: got %g, want %g", what, p.Name, i, got[k].Value[i], w)
			}
		}
	}
}

func TestThreads(t *testing.T) {
	defer kernel.SetThreads(0)
	for _, rule := range stepped() {
		run := func(threads int) ([]*Param, string) {
			kernel.SetThreads(threads)
			params := randomParams(5)
			o := mustNew(t, params, everything(rule.Name))
			var sums strings.Builder
			for i := range 5 {
				feed(params, i)
				ClipValue(params, 0.6)
				norm := ClipNorm(params, 1)
				o.Step(1)
				fmt.Fprintf(&sums, "%x %x\n", norm, o.Penalty())
			}
			return params, sums.String()
		}
		want, wantSums := run(1)
		for _, threads := range []int{2, 3} {
			got, gotSums := run(threads)
			sameBits(t, fmt.Sprintf("%s with %d threads", rule.Name, threads), got, want)
			if gotSums != wantSums {
				t.Errorf("%s with %d threads: got norms and penalties\n%swant\n%s", rule.Name, threads, gotSums, wantSums)
			}
		}
	}
}

// TestMaskHolds prunes in the middle of a run: the weights stay zero through
// momentum and gradients, and so does everything that remembers them.
func TestMaskHolds(t *testing.T) {
	for _, rule := range stepped() {
		params := randomParams(6)
		p := params[1]
		o := mustNew(t, params, everything(rule.Name))
		for i := range 10 {
			feed(params, i)
			o.Step(1)
			if i == 4 {
				PruneMagnitude(p, 0.5)
			}
			if i <= 4 {
				continue
			}
			for j, keep := range p.Mask {
				if keep {
					continue
				}
				if p.Value[j] != 0 {
					t.Fatalf("%s, step %d: pruned weight %d is %g, want 0", rule.Name, i, j, p.Value[j])
				}
				for k, slot := range o.tensors[1].slots {
					if o.tensors[1].elementwise(k) && slot[j] != 0 {
						t.Fatalf("%s, step %d: %s of pruned weight %d is %g, want 0", rule.Name, i, o.tensors[1].kinds[k].name, j, slot[j])
					}
				}
			}
			if got := p.Zeros(); got != 151 { // round(301·0.5)
				t.Fatalf("%s, step %d: got %d zeros, want 151", rule.Name, i, got)
			}
		}
	}
}

// TestStepTouches checks that a step leaves gradients, frozen parameters and
// memory beyond the parameters alone.
func TestStepTouches(t *testing.T) {
	memory := make([]float32, 64)
	for i := range memory {
		memory[i] = 7
	}
	grad := []float32{1, 2, 3}
	p := one(memory[10:13], grad)
	frozen := one([]float32{5, 5}, nil)
	frozen.Name, frozen.Trainable = "b", false
	o := mustNew(t, []*Param{p, frozen}, everything("adamw"))
	o.Step(1)
	for i, v := range memory {
		if inside := i >= 10 && i < 13; (v != 7) != inside {
			t.Errorf("memory[%d]: got %g", i, v)
		}
	}
	if grad[0] != 1 || grad[1] != 2 || grad[2] != 3 {
		t.Errorf("gradient: got %v, want [1 2 3]", grad)
	}
	if frozen.Value[0] != 5 || frozen.Value[1] != 5 {
		t.Errorf("frozen parameter: got %v, want [5 5]", frozen.Value)
	}
}

func TestStepPanics(t *testing.T) {
	p := one([]float32{1}, []float32{1})
	o := mustNew(t, []*Param{p}, Default("sgd"))
	for want, f := range map[string]func(){
		"optim: Step: scale NaN is not in [0, inf)": func() { o.Step(math.NaN()) },
		"optim: Step: scale -1 is not in [0, inf)":  func() { o.Step(-1) },
		`optim: Step: parameter "w" has a gradient of length 0, want 1`: func() {
			p.Grad = nil
			o.Step(1)
		},
		"optim: ClipNorm: limit NaN is not above 0": func() { ClipNorm(nil, math.NaN()) },
		"optim: ClipValue: limit 0 is not above 0":  func() { ClipValue(nil, 0) },
		`optim: selector "": empty part ""`:         func() { MustSelector("") },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("got panic %v, want %s", got, want)
				}
			}()
			f()
		}()
	}
}
