package optim

import "testing"

func TestResume(t *testing.T) {
	for _, rule := range stepped() {
		for _, mode := range []L1Mode{Subgradient, Proximal} {
			cfg := everything(rule.Name)
			cfg.L1Mode = mode
			whole := randomParams(3)
			o := mustNew(t, whole, cfg)
			for i := range 20 {
				feed(whole, i)
				o.Step(1 / float64(i+1))
			}

			first := randomParams(3)
			o = mustNew(t, first, cfg)
			for i := range 7 {
				feed(first, i)
				o.Step(1 / float64(i+1))
			}
			second := randomParams(4)
			for i, p := range second {
				copy(p.Value, first[i].Value)
				p.Mask = first[i].Mask
			}
			resumed := mustNew(t, second, cfg)
			if err := resumed.Load(o.State()); err != nil {
				t.Fatal(err)
			}
			for i := 7; i < 20; i++ {
				feed(second, i)
				resumed.Step(1 / float64(i+1))
			}
			sameBits(t, rule.Name+", resumed", second, whole)
			if got := resumed.State().Step; got != 20 {
				t.Errorf("%s: got step %d, want 20", rule.Name, got)
			}
		}
	}
}

func TestLoadErrors(t *testing.T) {
	fresh := func() *Optimizer { return mustNew(t, randomParams(1), everything("adam")) }
	for want, spoil := range map[string]func(*State){
		`optimizer state is of rule "sgd", want "adam"`:                      func(s *State) { s.Rule = "sgd" },
		`optimizer state: step -1 is negative`:                               func(s *State) { s.Step = -1 },
		`optimizer state: slot "exp_avg" is missing`:                         func(s *State) { delete(s.Slots, "exp_avg") },
		`optimizer state: slot "momentum" is not one of this run`:            func(s *State) { s.Slots["momentum"] = nil },
		`optimizer state: exp_avg_sq of parameter "b" is missing`:            func(s *State) { delete(s.Slots["exp_avg_sq"], "b") },
		`optimizer state: exp_avg of parameter "c" is not one of this run`:   func(s *State) { s.Slots["exp_avg"]["c"] = nil },
		`optimizer state: exp_avg of parameter "b" has 300 values, want 301`: func(s *State) { s.Slots["exp_avg"]["b"] = s.Slots["exp_avg"]["b"][:300] },
	} {
		s := fresh().State()
		spoil(&s)
		o := fresh()
		if err := o.Load(s); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
