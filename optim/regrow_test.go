package optim

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"finetune/internal/kernel"
)

// regrowing is a pruner at a constant sparsity from step 0 to 100, an optimizer that
// has made a step, and their only parameter, pruned.
func regrowing(t *testing.T, way Regrowth, rule string, p *Param) (*Pruner, *Optimizer) {
	t.Helper()
	still, err := ParseCourse("linear:from=0")
	if err != nil {
		t.Fatal(err)
	}
	pr, err := NewPruner([]*Param{p}, Pruning{
		Sparsity: Set(0.75), Regrow: way, Seed: 3, Ramp: Ramp{End: 100, Every: 10, Shape: still},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Default(rule)
	cfg.LR = Set(0.01)
	o := mustNew(t, []*Param{p}, cfg)
	if err := pr.Step(0); err != nil {
		t.Fatal(err)
	}
	o.Step(1)
	return pr, o
}

// exchanged is the mask after an exchange, by sorting.
func exchanged(p *Param, k int, score []float32, pinned []bool) []bool {
	size := func(v float32) float64 { return math.Abs(float64(v)) }
	able := 0
	for i, kept := range p.Mask {
		if !kept && score[i] != 0 && (pinned == nil || pinned[i]) {
			able++
		}
	}
	k = min(k, able)
	left := slices.Clone(p.Mask)
	var order []int
	for i, kept := range left {
		if kept {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(size(p.Value[i]), size(p.Value[j])) })
	for _, i := range order[:k] {
		left[i] = false
	}
	order = order[:0]
	for i, kept := range left {
		if !kept && (pinned == nil || pinned[i]) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(size(score[i]), size(score[j])) })
	for _, i := range order[len(order)-k:] {
		left[i] = true
	}
	return left
}

// TestRegrowExact compares steps of RigL with sorting: which weights are left, what
// they are, and what the optimizer remembers of them. Equal sizes are frequent.
func TestRegrowExact(t *testing.T) {
	for _, rule := range []string{"sgd", "adamw", "rprop", "amsgrad"} {
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, 5))
			p := weight("Gemm", false, 3+int(seed), 40)
			draw := func(list []float32) {
				for i := range list {
					list[i] = float32(r.IntN(41)-20) / 16
				}
			}
			draw(p.Value)
			draw(p.Grad)
			pr, o := regrowing(t, RigL, rule, p)
			if seed%2 == 1 {
				pr.Pin()
				for i := range p.Value[:len(p.Value)/2] {
					pr.pinned[p][i] = true
				}
			}
			draw(p.Grad)
			if seed%4 == 3 {
				clear(p.Grad[5:])
			}
			step := 10 * int(seed%10)
			k := int(0.15 * (1 + math.Cos(math.Pi*float64(step)/100)) * float64(len(p.Value)-p.Pruned()))
			mask, value := slices.Clone(p.Mask), slices.Clone(p.Value)
			want := exchanged(p, k, p.Grad, pr.pinned[p])
			var slots [][]float32
			for _, s := range o.tensors[0].slots {
				slots = append(slots, slices.Clone(s))
			}
			pruned := p.Pruned()
			pr.Regrow(step, o)
			if !slices.Equal(p.Mask, want) {
				t.Fatalf("%s, seed %d: got another mask than by sorting", rule, seed)
			}
			if p.Pruned() != pruned {
				t.Fatalf("%s, seed %d: got %d pruned, want %d as before", rule, seed, p.Pruned(), pruned)
			}
			for i, kept := range want {
				was := mask[i]
				switch {
				case was && kept && p.Value[i] != value[i]:
					t.Fatalf("%s, seed %d: weight %d stays and became %g, want %g", rule, seed, i, p.Value[i], value[i])
				case (!was || !kept) && math.Float32bits(p.Value[i]) != 0:
					t.Fatalf("%s, seed %d: weight %d is new or pruned and became %g, want 0", rule, seed, i, p.Value[i])
				}
				for k, kind := range o.tensors[0].kinds {
					want := slots[k][i]
					if kept && !was {
						want = kind.first
					}
					if got := o.tensors[0].slots[k][i]; got != want {
						t.Fatalf("%s, seed %d: weight %d has %s %g, want %g", rule, seed, i, kind.name, got, want)
					}
				}
			}
		}
	}
}

// TestRegrowJustPruned lets weights grow at the step that has pruned them, while
// the optimizer still has their moments.
func TestRegrowJustPruned(t *testing.T) {
	p := one([]float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 1, 1, 1, 1, 1, 1, 1})
	pr, err := NewPruner([]*Param{p}, Pruning{Sparsity: Set(0.5), Regrow: RigL, RegrowFraction: 0.25, Ramp: Ramp{End: 2, Shape: must(ParseCourse("linear:from=0"))}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Default("adam")
	cfg.LR = Set(0.01)
	o := mustNew(t, []*Param{p}, cfg)
	o.Step(1)
	if err := pr.Step(0); err != nil {
		t.Fatal(err)
	}
	copy(p.Grad, []float32{0, -9, 0, 0, 1, 0, 0, 0})
	pr.Regrow(0, o)
	if got, want := fmt.Sprint(p.Mask), "[false true false false false true true true]"; got != want {
		t.Fatalf("got mask %s, want %s: 5 goes for 2", got, want)
	}
	for name, slot := range o.State().Slots {
		if v := slot["w"]; v[1] != 0 || v[5] == 0 {
			t.Errorf("got %s %v, want that of the second weight alone at zero", name, v)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestRegrowFraction follows the share from the begin of the ramp to its end.
func TestRegrowFraction(t *testing.T) {
	for _, test := range []struct {
		way   Regrowth
		share float64
		want  [4]float64 // after 0, 1/3, 1/2, and all of the ramp
	}{
		{RigL, 0, [4]float64{0.3, 0.225, 0.15, 0}},
		{RigL, 0.8, [4]float64{0.8, 0.6, 0.4, 0}},
		{SET, 0, [4]float64{0.3, 0.3, 0.3, 0.3}},
	} {
		cfg := Pruning{Regrow: test.way, RegrowFraction: test.share, Ramp: Ramp{Begin: 60, End: 120}}
		for i, step := range []int{60, 80, 90, 120} {
			if got := cfg.regrowFraction(step); math.Abs(got-test.want[i]) > 1e-12 {
				t.Errorf("%s of %g, step %d: got %g, want %g", test.way, test.share, step, got, test.want[i])
			}
		}
	}
}

// TestSETGrowsAnywhere counts how often each weight grows: all as often, but for
// those that are left, and the last ten, which have no gradient.
func TestSETGrowsAnywhere(t *testing.T) {
	p := weight("Gemm", false, 10, 10)
	copy(p.Value[:25], slices.Repeat([]float32{1}, 25))
	for i := range p.Value[:25] {
		p.Value[i] += float32(i)
	}
	clear(p.Grad[90:])
	pr, o := regrowing(t, SET, "sgd", p)
	value, mask := slices.Clone(p.Value), slices.Clone(p.Mask)
	var times [100]int
	const runs = 2000
	for seed := range uint64(runs) {
		copy(p.Value, value)
		copy(p.Mask, mask)
		pr.cfg.Seed = seed
		pr.Regrow(10*int(seed%10), o)
		for i, kept := range p.Mask {
			if kept {
				times[i]++
			}
		}
	}
	// Seven of 25 go, and seven of the 72 others that could be left come.
	for i, n := range times {
		want := runs * 7. / 72
		switch {
		case i >= 90:
			want = 0
		case i >= 7 && i < 25:
			want = runs
		}
		if math.Abs(float64(n)-want) > 5*math.Sqrt(want) {
			t.Errorf("weight %d is kept %d times of %d, want about %.0f", i, n, runs, want)
		}
	}
}

// TestRegrowSameBits holds what threads do against one of them, and another seed.
func TestRegrowSameBits(t *testing.T) {
	defer kernel.SetThreads(kernel.Threads())
	for _, way := range Regrowths {
		masks := map[int][]bool{}
		for _, threads := range []int{1, 2, 5} {
			kernel.SetThreads(threads)
			p := weight("Gemm", false, 300, 301)
			pr, o := regrowing(t, way, "adamw", p)
			pr.Regrow(20, o)
			if masks[threads] = p.Mask; !slices.Equal(p.Mask, masks[1]) {
				t.Errorf("%s: got another mask with %d threads", way, threads)
			}
			if pr, o = regrowing(t, way, "adamw", weight("Gemm", false, 300, 301)); threads == 1 {
				pr.cfg.Seed++
				pr.Regrow(20, o)
				if same := slices.Equal(o.tensors[0].Mask, masks[1]); same != (way == RigL) {
					t.Errorf("%s: got the same mask from another seed: %t", way, same)
				}
			}
		}
	}
}

// TestRegrowOnRamp trains along a ramp. The number of pruned weights is that
// without regrowth, masks change when pruning is due and never besides, the last
// time without regrowth, and what is no weight has no mask.
func TestRegrowOnRamp(t *testing.T) {
	for _, way := range Regrowths {
		for _, cfg := range []Pruning{{}, {Global: true, Floor: DefaultFloor}, {Kernel: true}, {Score: Movement}} {
			cfg.Regrow, cfg.Sparsity, cfg.Ramp = way, Set(0.8), Ramp{Begin: 2, End: 21, Every: 4}
			params := network()
			r := rand.New(rand.NewPCG(31, 32))
			for _, p := range params {
				for i := range p.Value {
					p.Value[i] = r.Float32() + 0.1
				}
			}
			pr, err := NewPruner(params, cfg)
			if err != nil {
				t.Fatal(err)
			}
			o := mustNew(t, params, everythingWithoutSelectors())
			grown, total := 0, 0
			for _, p := range params {
				if p.Decayed() {
					total += len(p.Value)
				}
			}
			before := map[*Param][]bool{}
			for step := range 30 {
				feedTrainable(params, step)
				pr.Observe()
				o.Step(1)
				if err := pr.Step(step); err != nil {
					t.Fatal(err)
				}
				pr.Regrow(step, o)
				pruned := 0
				for _, p := range params {
					pruned += p.Pruned()
					if p.Mask != nil && !p.Decayed() {
						t.Fatalf("%s has a mask", p.Name)
					}
					for i, kept := range before[p] {
						if back := !kept && p.Mask[i]; back {
							grown++
							if step == 21 {
								t.Errorf("%s: a weight grew at the end of the ramp", way)
							}
						}
						if kept != p.Mask[i] && !pr.Due(step) {
							t.Fatalf("%s, step %d: a mask changed, which is not due", way, step)
						}
					}
					before[p] = slices.Clone(p.Mask)
				}
				if want := int(math.Round(float64(total) * cfg.Ramp.At(step, 0.8))); pr.Due(step) && math.Abs(float64(pruned-want)) > 1 {
					t.Errorf("%s, step %d: got %d pruned, want %d", way, step, pruned, want)
				}
			}
			if grown == 0 {
				t.Errorf("%s: nothing grew", way)
			}
		}
	}
}

// TestRegrowLeavesFrozen has no gradients of what is not trained.
func TestRegrowLeavesFrozen(t *testing.T) {
	frozen, p := weight("Gemm", false, 8, 8), weight("Gemm", false, 9, 9)
	frozen.Trainable, frozen.Grad = false, nil
	pr, err := NewPruner([]*Param{frozen, p}, Pruning{
		Sparsity: Settings{{Select: MustSelector("role:weight"), Value: 0.5}}, Regrow: RigL,
		Ramp: Ramp{End: 9, Shape: must(ParseCourse("linear:from=0"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	o := mustNew(t, []*Param{frozen, p}, Default("sgd"))
	if err := pr.Step(0); err != nil {
		t.Fatal(err)
	}
	masks := [2][]bool{slices.Clone(frozen.Mask), slices.Clone(p.Mask)}
	pr.Regrow(0, o)
	if !slices.Equal(frozen.Mask, masks[0]) || slices.Equal(p.Mask, masks[1]) {
		t.Error("got a new mask of what is frozen, or none of what is trained")
	}
}

func TestRegrowErrors(t *testing.T) {
	for want, cfg := range map[string]Pruning{
		`regrow: "regl" is not one of rigl, set`:                                 {Regrow: "regl", Sparsity: Set(0.5), Ramp: Ramp{End: 1}},
		"regrow-fraction: 1 is not in (0, 1)":                                    {Regrow: SET, RegrowFraction: 1, Sparsity: Set(0.5), Ramp: Ramp{End: 1}},
		"regrow-fraction: NaN is not in (0, 1)":                                  {Regrow: SET, RegrowFraction: math.NaN(), Sparsity: Set(0.5), Ramp: Ramp{End: 1}},
		"regrow: weights grow one by one, which would break the pattern 2:4":     {Regrow: RigL, Pattern: "2:4", Ramp: Ramp{End: 1}},
		"regrow: weights grow one by one, which would break the pattern rows":    {Regrow: SET, Pattern: "rows", Sparsity: Set(0.5), Ramp: Ramp{End: 1}},
		"regrow: without a sparsity nothing is pruned that could grow again":     {Regrow: RigL, Threshold: Set(0.5), Ramp: Ramp{End: 1}},
		"regrow: pruning begins and ends at step 3, which leaves no time for it": {Regrow: RigL, Sparsity: Set(0.5), Ramp: Ramp{Begin: 3, End: 3}},
	} {
		if _, err := NewPruner(network(), cfg); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
