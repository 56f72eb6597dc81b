package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

func TestParseSetting(t *testing.T) {
	for _, test := range []struct {
		text, selector string
		value          float64
	}{
		{"1e-5", "", 1e-5},
		{"0", "", 0},
		{"layer:fc*=1e-4", "layer:fc*", 1e-4},
		{"role:weight,!rank:1= 0.5", "role:weight,!rank:1", 0.5},
		{"re:a=b=2", "re:a=b", 2},
		{"1e-5@linear:from=0,to=1", "", 1e-5},
		{"layer:a@b=2@cosine", "layer:a@b", 2},
		{"a@b=2", "a@b", 2},
	} {
		s, err := ParseSetting(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if s.Select.String() != test.selector || s.Value != test.value {
			t.Errorf("%q: got %q and %g, want %q and %g", test.text, s.Select, s.Value, test.selector, test.value)
		}
		again, err := ParseSetting(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q: written as %q, that reads as %q (%v)", test.text, s, again, err)
		}
	}
	for text, want := range map[string]string{
		"":            `setting "": want VALUE or SELECTOR=VALUE, and "" is not a number`,
		"layer:fc*":   `setting "layer:fc*": want VALUE or SELECTOR=VALUE, and "layer:fc*" is not a number`,
		"layer:fc*=x": `setting "layer:fc*=x": want VALUE or SELECTOR=VALUE, and "x" is not a number`,
		"=1":          `selector "": empty part ""`,
		"a=1@cosin":   `setting "a=1@cosin": schedule: "cosin" is not one of constant, linear, step, multistep, exponential, polynomial, cubic, cosine, onecycle, inverse-root, stable, plateau`,
	} {
		if _, err := ParseSetting(text); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
}

func TestSettingJSON(t *testing.T) {
	list, err := ParseSettings("1e-05", "layer:fc*=0.0001")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `["1e-05","layer:fc*=0.0001"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var back Settings
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if len(back) != 2 || back[1].Value != 1e-4 || !back[1].Select.Match(network()[5]) {
		t.Errorf("got %v, want the same settings", back)
	}
}

// TestRanges feeds each field values just inside and outside of its range.
func TestRanges(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		rule  string
		set   func(*Config, Settings)
		field string
		span  string
		good  []float64
		bad   []float64
	}{
		{"sgd", func(c *Config, s Settings) { c.LR = s }, "lr", "[0, inf)", []float64{0, 10}, []float64{-1e-9, inf, nan, 1e39}},
		{"sgd", func(c *Config, s Settings) { c.Momentum = s }, "momentum", "[0, 1)", []float64{0, 0.999}, []float64{-0.1, 1, nan}},
		{"sgd", func(c *Config, s Settings) { c.Dampening = s }, "dampening", "[0, 1]", []float64{0, 1}, []float64{-0.1, 1.1, nan}},
		{"sgd", func(c *Config, s Settings) { c.Nesterov = s; c.Momentum = Set(0.9) }, "nesterov", "{0, 1}", []float64{0, 1}, []float64{-1, 0.5, 2, nan}},
		{"adam", func(c *Config, s Settings) { c.Beta1 = s }, "beta1", "[0, 1)", []float64{0, 0.99}, []float64{-0.1, 1, nan}},
		{"adam", func(c *Config, s Settings) { c.Beta2 = s }, "beta2", "[0, 1)", []float64{0, 0.99}, []float64{-0.1, 1, nan}},
		{"adamw", func(c *Config, s Settings) { c.Eps = s }, "eps", "[0, inf)", []float64{0, 1}, []float64{-1e-8, inf, nan}},
		{"sgd", func(c *Config, s Settings) { c.L1 = s }, "l1", "[0, inf)", []float64{0, 1}, []float64{-1, inf, nan}},
		{"sgd", func(c *Config, s Settings) { c.L2 = s }, "l2", "[0, inf)", []float64{0, 1}, []float64{-1, inf, nan}},
		{"sgd", func(c *Config, s Settings) { c.WeightDecay = s }, "weight-decay", "[0, inf)", []float64{0, 3}, []float64{-1, inf, nan}},
		{"sgd", func(c *Config, s Settings) { c.WeightDecay = s; c.DecayMode = Absolute }, "weight-decay", "[0, 1]", []float64{0, 1}, []float64{-1, 1.5, nan}},
	} {
		try := func(v float64) error {
			cfg := Default(test.rule)
			test.set(&cfg, Set(v))
			_, err := Resolve(network(), cfg)
			return err
		}
		for _, v := range test.good {
			if err := try(v); err != nil {
				t.Errorf("%s %g: %v", test.field, v, err)
			}
		}
		for _, v := range test.bad {
			want := outside(test.field, "", v, nonNegative).Error()
			want = want[:len(want)-len("[0, inf)")] + test.span
			if err := try(v); err == nil || err.Error() != want {
				t.Errorf("%s %g: got error %v, want %s", test.field, v, err, want)
			}
		}
	}
}

// TestEveryRange feeds each field of each rule the ends of its range and what lies
// just outside. What is wrong is named with the field, the value and the range.
func TestEveryRange(t *testing.T) {
	for _, r := range rules {
		for _, f := range fields {
			if !r.uses(f.Name) {
				continue
			}
			resolve := func(v float64) error {
				cfg := Default(r.Name)
				if f.Name == "nesterov" {
					cfg.Momentum = Set(0.9)
				}
				if r.Closure {
					cfg.DecayMode = Coupled
				}
				*f.Settings(&cfg) = Set(v)
				_, err := Resolve(network(), cfg)
				return err
			}
			bounds := f.span
			if f.Name == "rho" && r.Name == "adadelta" {
				bounds = fraction
			}
			for _, v := range []float64{bounds.lo, (bounds.lo + bounds.hi) / 2, bounds.hi} {
				if !bounds.contains(v) || f.Name == "step-min" && v > 50 || f.Name == "step-max" && v < 1e-6 ||
					r.Defaults.Nesterov == 1 && f.Name == "momentum" && v == 0 {
					continue
				}
				if err := resolve(v); err != nil {
					t.Errorf("%s, %s %g: %v", r.Name, f.Name, v, err)
				}
			}
			bad := []float64{math.NaN(), math.Nextafter(bounds.lo, math.Inf(-1)), math.Nextafter(bounds.hi, math.Inf(1)), math.Inf(1), math.Inf(-1)}
			if bounds.open {
				bad = append(bad, bounds.hi)
			}
			if bounds.whole {
				bad = append(bad, bounds.lo+0.5)
			}
			for _, v := range bad {
				want := fmt.Sprintf("%s: %g is not in %s", f.Name, v, bounds)
				if err := resolve(v); err == nil || err.Error() != want {
					t.Errorf("%s: got error %v, want %s", r.Name, err, want)
				}
			}
		}
	}
}

func TestConfigErrors(t *testing.T) {
	settings := func(text string) Settings {
		s, err := ParseSettings(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for want, cfg := range map[string]Config{
		`rule: "sdg" is not one of sgd, adam, adamw, amsgrad, nadam, radam, adamax, adabelief, adagrad, adadelta, rmsprop, rprop, asgd, lion, lamb, lars, adafactor, muon, sophia, lbfgs`: {Rule: "sdg"},
		`momentum: rule adam has none; it belongs to sgd, rmsprop, lars, muon`:                                                    {Rule: "adam", Momentum: Set(0.9)},
		`beta2: rule sgd has none; it belongs to adam, adamw, amsgrad, nadam, radam, adamax, adabelief, lion, lamb, muon, sophia`: {Rule: "sgd", Beta2: Set(0.9)},
		`l1 mode: "soft" is not one of subgradient, proximal`:                                                                     {Rule: "sgd", L1Mode: "soft"},
		`decay mode: "relative" is not one of decoupled, absolute, coupled`:                                                       {Rule: "sgd", DecayMode: "relative"},
		`lr "op:conv=-1": -1 is not in [0, inf)`:                                                                                  {Rule: "sgd", LR: settings("op:conv=-1")},
		`decay mode: coupled is not for rule lamb, in which decay is part of the step`:                                            {Rule: "lamb", DecayMode: Coupled},
		`decay mode: absolute is not for rule lars, in which decay is part of the step`:                                           {Rule: "lars", DecayMode: Absolute},
		`l1 step: "far" is not one of uniform, coordinate`:                                                                        {Rule: "adam", L1Step: "far"},
		`groups: "0x2" is not one of rows, columns, filters or RxC such as 4x1`:                                                   {Rule: "adam", Groups: "0x2"},
		`parameter "features.0.weight": step-min is 60, which is above step-max, 50`:                                              {Rule: "rprop", StepMin: Set(60)},
		`l1: NaN is not in [0, inf)`:                                                                                              {Rule: "sgd", L1: settings("nan")},
		`l1: selector "fc.bias" selects none of the 8 parameters; nearest: "fc1.bias", "features.0.bias", "features.1.bias"`:      {Rule: "sgd", L1: settings("fc.bias=1")},
		`parameter "features.0.weight": nesterov needs momentum above 0 and dampening 0, not 0 and 0`:                             {Rule: "sgd", Nesterov: Set(1)},
		`parameter "features.0.weight": nesterov needs momentum above 0 and dampening 0, not 0.9 and 0.1`:                         {Rule: "sgd", Nesterov: Set(1), Momentum: Set(0.9), Dampening: Set(0.1)},
	} {
		if _, err := New(network(), cfg); err == nil || err.Error() != want {
			t.Errorf("got error %v\nwant %s", err, want)
		}
	}
}
