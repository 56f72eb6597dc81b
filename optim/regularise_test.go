package optim

import (
	"math"
	"testing"
)

// TestRegularisersByHand takes steps of SGD with learning rate 1 and no gradient,
// where only the regularisers move the weights.
func TestRegularisersByHand(t *testing.T) {
	nan := float32(math.NaN())
	for _, test := range []struct {
		name  string
		cfg   Config
		shape []int
		w     []float32
		move  []float32 // what is added to the weights after the optimizer has seen them
		want  []float32
	}{
		{name: "coupled decay", cfg: Config{WeightDecay: Set(0.5), DecayMode: Coupled}, w: []float32{1, -2}, want: []float32{0.5, -1}},
		{name: "coupled decay and l2", cfg: Config{WeightDecay: Set(0.25), L2: Set(0.25), DecayMode: Coupled}, w: []float32{1, -2}, want: []float32{0.5, -1}},
		{name: "elastic net", cfg: Config{L1: Set(0.25), L2: Set(0.5), L1Mode: Proximal}, w: []float32{1, -2, 0.25}, want: []float32{0.25, -0.75, 0}},
		{name: "l2-sp", cfg: Config{L2SP: Set(0.5)}, w: []float32{1, -2, 3}, move: []float32{1, 2, 0}, want: []float32{1.5, -1, 3}},
		{name: "l1-sp", cfg: Config{L1SP: Set(0.25)}, w: []float32{1, -2, 3}, move: []float32{1, -0.125, 0}, want: []float32{1.75, -1.875, 3}},
		{name: "proximal l1-sp", cfg: Config{L1SP: Set(0.25), L1Mode: Proximal}, w: []float32{1, -2, 3, nan}, move: []float32{1, -0.125, 0, 0}, want: []float32{1.75, -2, 3, nan}},
		// Rows of 2: λ√2 = 5/√2·√2 = 5, so 3, 4 and what is shorter vanish.
		{name: "group lasso", cfg: Config{Group: Set(5 / math.Sqrt2)}, shape: []int{4, 2}, w: []float32{3, 4, 6, 8, -1, 2, nan, 1},
			want: []float32{0, 0, 3, 4, 0, 0, nan, 1}},
		{name: "group lasso of columns", cfg: Config{Group: Set(5 / math.Sqrt2), Groups: "columns"}, shape: []int{2, 3}, w: []float32{3, 6, -1, 4, 8, 2},
			want: []float32{0, 3, 0, 0, 4, 0}},
		{name: "group lasso of filters", cfg: Config{Group: Set(2.5), Groups: "filters"}, shape: []int{2, 1, 2, 2}, w: []float32{1, 1, 1, 1, 5, 5, 5, 5},
			want: []float32{0, 0, 0, 0, 2.5, 2.5, 2.5, 2.5}},
		{name: "group lasso of blocks", cfg: Config{Group: Set(1), Groups: "2x1"}, shape: []int{3, 2}, w: []float32{0.5, 3, 0.5, 4, -0.5, 2},
			want: []float32{0, 3 * (1 - float32(math.Sqrt2)/5), 0, 4 * (1 - float32(math.Sqrt2)/5), 0, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := one(test.w, make([]float32, len(test.w)))
			if test.shape != nil {
				p.Shape = test.shape
			}
			test.cfg.Rule, test.cfg.LR = "sgd", Set(1)
			o := mustNew(t, []*Param{p}, test.cfg)
			for i, d := range test.move {
				p.Value[i] += d
			}
			o.Step(1)
			for i, want := range test.want {
				if got := p.Value[i]; math.Abs(float64(got-want)) > 1e-6 || (got != got) != (want != want) {
					t.Errorf("weight %d: got %g, want %g", i, got, want)
				}
			}
		})
	}
}

// TestCoordinateStep: each weight is shortened by λ times the rate that Adam gives
// it, so weights with large gradients, whose rates are small, lose less.
func TestCoordinateStep(t *testing.T) {
	grad := []float32{1, 4}
	for step, want := range map[L1Step][]float32{
		// Without memory u is sign(g), the rate of a weight η/|g|.
		Uniform:    {1 - 0.25 - 0.125, 1 - 0.25 - 0.125},
		Coordinate: {1 - 0.25 - 0.125, 1 - 0.25 - 0.125/4},
	} {
		p := one([]float32{1, 1}, grad)
		cfg := Config{Rule: "adam", LR: Set(0.25), Beta1: Set(0), Beta2: Set(0), Eps: Set(0), L1: Set(0.5), L1Mode: Proximal, L1Step: step}
		mustNew(t, []*Param{p}, cfg).Step(1)
		for i := range want {
			if got := p.Value[i]; got != want[i] {
				t.Errorf("%s, weight %d: got %g, want %g", step, i, got, want[i])
			}
		}
	}
	for _, r := range rules {
		cfg := everything(r.Name)
		cfg.L1Mode, cfg.L1Step = Proximal, Coordinate
		o, err := New(randomParams(1), cfg)
		if (err == nil) != (r.rates != nil) {
			t.Errorf("%s: got error %v", r.Name, err)
		}
		if err != nil {
			continue
		}
		for i := range 3 {
			feed(o.tensorParams(), i)
			o.Step(1)
		}
		for _, p := range o.tensorParams() {
			if !Finite(p.Value) {
				t.Errorf("%s: got weights that are not finite", r.Name)
			}
		}
	}
}

func (o *Optimizer) tensorParams() []*Param {
	var list []*Param
	for _, x := range o.tensors {
		list = append(list, x.Param)
	}
	return list
}

// TestSettingCourses: a hyperparameter with a course of its own follows it, and
// the learning rate then does not follow that of the run.
func TestSettingCourses(t *testing.T) {
	a, b := one([]float32{0}, []float32{1}), one([]float32{0}, []float32{1})
	b.Name = "b"
	cfg := Default("sgd")
	var err error
	if cfg.LR, err = ParseSettings("1", "b=8@linear:from=1,to=0"); err != nil {
		t.Fatal(err)
	}
	if cfg.L1, err = ParseSettings("4@step:every=1ep,gamma=0.5"); err != nil {
		t.Fatal(err)
	}
	cfg.Run = Run{Steps: 4, PerEpoch: 2}
	o := mustNew(t, []*Param{a, b}, cfg)
	if got := len(o.Groups()); got != 2 {
		t.Errorf("got %d groups, want 2", got)
	}
	for i, want := range []struct{ a, b, l1 float32 }{{0.5, 8, 4}, {0.5, 6, 4}, {0.5, 4, 2}, {0.5, 2, 2}} {
		a.Value[0], b.Value[0] = 0, 0
		o.Step(0.5)
		if a.Value[0] != -want.a || b.Value[0] != -want.b {
			t.Errorf("step %d: moved by %g and %g, want %g and %g", i, -a.Value[0], -b.Value[0], want.a, want.b)
		}
		a.Value[0], b.Value[0] = 1, 0
		if got := o.Penalty().L1; got != float64(want.l1) {
			t.Errorf("step %d: penalty %g, want %g", i, got, want.l1)
		}
	}
	cfg.L1, err = ParseSettings("1@plateau")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New([]*Param{a, b}, cfg); err == nil || err.Error() != `l1 "1@plateau": plateau is a schedule of all learning rates together only` {
		t.Errorf("got error %v", err)
	}
}

// TestMomentumCourse: a momentum that climbs is that of each step.
func TestMomentumCourse(t *testing.T) {
	p := one([]float32{0}, []float32{1})
	cfg := Default("sgd")
	cfg.LR = Set(1)
	var err error
	if cfg.Momentum, err = ParseSettings("0.5@linear:from=0,to=1"); err != nil {
		t.Fatal(err)
	}
	cfg.Run = Run{Steps: 4, PerEpoch: 4}
	o := mustNew(t, []*Param{p}, cfg)
	buffer, w := 0.0, 0.0
	for step, mu := range []float64{0, 0.125, 0.25, 0.375} {
		o.Step(1)
		buffer = mu*buffer + 1
		if w -= buffer; float64(p.Value[0]) != w {
			t.Errorf("step %d: got %g, want %g", step, p.Value[0], w)
		}
	}
	// What a course makes of a value has to be in its range, too.
	if cfg.Momentum, err = ParseSettings("0.5@linear:from=1,to=3"); err != nil {
		t.Fatal(err)
	}
	if _, err := New([]*Param{p}, cfg); err == nil || err.Error() != `momentum "0.5@linear:from=1,to=3": comes to 1, which is not in [0, 1)` {
		t.Errorf("got error %v", err)
	}
	adafactor := Default("adafactor")
	if adafactor.ClipThreshold, err = ParseSettings("1@linear:from=0,to=1"); err != nil {
		t.Fatal(err)
	}
	if _, err := New([]*Param{p}, adafactor); err == nil || err.Error() != `clip-threshold "1@linear:from=0,to=1": comes to 0, which is not in (0, inf)` {
		t.Errorf("got error %v", err)
	}
}

func TestLayerDecay(t *testing.T) {
	var params []*Param
	for i, name := range []string{"a", "b", "c"} {
		p := one([]float32{0}, []float32{1})
		p.Name, p.Depth = name, i
		params = append(params, p)
	}
	cfg := Default("sgd")
	cfg.LR, cfg.LayerDecay = Set(1), 0.5
	mustNew(t, params, cfg).Step(1)
	for i, want := range []float32{-0.25, -0.5, -1} {
		if got := params[i].Value[0]; got != want {
			t.Errorf("layer %d moved by %g, want %g", i, got, want)
		}
	}
	plans, err := Resolve(params, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := plans[0].Why[0], (Reason{"lr", 0.25, "1, 2 layers before the last"}); got != want {
		t.Errorf("got reason %+v, want %+v", got, want)
	}
	for _, bad := range []float64{-0.1, 1.1, math.NaN()} {
		cfg.LayerDecay = bad
		if _, err := New(params, cfg); err == nil {
			t.Errorf("layer decay %g: got no error", bad)
		}
	}
}

func TestPenaltyTerms(t *testing.T) {
	p := one([]float32{3, 4, 0, 0}, nil)
	p.Shape = []int{2, 2}
	cfg := Default("sgd")
	cfg.Group, cfg.L1SP, cfg.L2SP = Set(2), Set(0.5), Set(0.25)
	cfg.WeightDecay, cfg.DecayMode = Set(0.5), Coupled
	o := mustNew(t, []*Param{p}, cfg)
	p.Value[2] = -2
	want := Penalty{L2: 0.25 * 29, Group: 2 * math.Sqrt2 * 7, L1SP: 1, L2SP: 0.5}
	got := o.Penalty()
	if math.Abs(got.Group-want.Group) > 1e-12 {
		t.Errorf("group: got %g, want %g", got.Group, want.Group)
	}
	got.Group = want.Group
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestPlateau follows PyTorch's ReduceLROnPlateau with factor 0.5, patience 1,
// threshold 0.1 and a cool-down of 1.
func TestPlateau(t *testing.T) {
	p := Plateau{Factor: 0.5, Patience: 1, Threshold: 0.1, Cooldown: 1, Floor: 0.2}
	for i, test := range []struct{ loss, scale float64 }{
		{1, 1}, {0.95, 1}, {0.85, 1}, {0.8, 1}, {0.8, 0.5}, {0.8, 0.5}, {0.8, 0.5}, {0.8, 0.25}, {0.1, 0.25}, {1, 0.25}, {1, 0.2},
	} {
		p.Observe(test.loss)
		if got := p.Scale(); got != test.scale {
			t.Errorf("observation %d: got %g, want %g", i, got, test.scale)
		}
	}
}
