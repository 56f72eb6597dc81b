package train

import (
	"context"
	"math"
	"slices"
	"testing"

	"finetune/internal/kernel"
	"finetune/onnxload"
	"finetune/optim"
)

// regrowing is a configuration that prunes to 0.75 along a ramp and regrows.
func regrowing(way optim.Regrowth) Config {
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.Schedule = 5, 4, "constant"
	cfg.Optim.LR = optim.Set(0.01)
	cfg.Prune = Pruning{Sparsity: optim.Set(0.75), Begin: 0.1, End: 0.8, Every: 4, Regrow: way}
	return cfg
}

// TestRegrow looks at the masks after every step: as many weights are pruned as
// without regrowth, those are zero, some come back, only in the steps after pruning
// and before the end, and no bias has a mask.
func TestRegrow(t *testing.T) {
	for _, way := range optim.Regrowths {
		for _, change := range []func(*Config){
			func(*Config) {},
			func(c *Config) { c.Prune.Global = true },
			func(c *Config) { c.Prune.Kernel, c.Prune.Schedule = true, "linear:from=0" },
			func(c *Config) { c.MicroBatch, c.BatchNorm = 3, onnxload.BatchNormTrain },
			func(c *Config) { c.Average = Average{Kind: optim.EMA, Decay: 0.9} },
		} {
			cfg := regrowing(way)
			change(&cfg)
			m := convnet().model(t)
			masks := map[string][]bool{}
			grown := map[int]int{}
			total, allDue := 0, map[int]bool{2: true, 6: true, 10: true, 14: true, 18: true, 19: true} // of 25 steps
			cfg.Observe = func(e Event) {
				if e.Kind != Stepped {
					return
				}
				step := e.Step - 1
				total = 0
				for _, p := range m.Params {
					if p.Mask != nil && !p.Decayed() {
						t.Errorf("%s: %s has a mask", way, p.Name)
					}
					for i, kept := range p.Mask {
						if !kept && p.Value[i] != 0 {
							t.Errorf("%s, step %d: %s[%d] is pruned and is %g", way, step, p.Name, i, p.Value[i])
						}
						if was := masks[p.Name]; was != nil && kept && !was[i] {
							grown[step]++
						}
					}
					total += p.Pruned()
					masks[p.Name] = slices.Clone(p.Mask)
				}
				ramp := optim.Ramp{Begin: 2, End: 19}
				if cfg.Prune.Schedule != "" {
					ramp.Begin, ramp.End = 2, 2
				}
				if want := int(math.Round(36*ramp.At(step, 0.75))) + int(math.Round(192*ramp.At(step, 0.75))); allDue[step] && max(total-want, want-total) > 1 {
					t.Errorf("%s, step %d: got %d pruned, want %d", way, step, total, want)
				}
			}
			result, err := Run(context.Background(), m, labelled(20, 3, 1, 6, 6).loader(t), nil, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if total != 171 { // 27 of 36 and 144 of 192
				t.Errorf("%s: got %d pruned in the end, want 171", way, total)
			}
			if zeros := zerosOf(m); way == optim.RigL && zeros["conv.weight"]+zeros["fc.weight"] != 171 {
				t.Errorf("%s: got %v zeros, want 171", way, zeros)
			}
			if got := int(math.Round(result.Sparsity * 228)); got < 171 {
				t.Errorf("%s: got %d zeros of 228 in the result, want 171", way, got)
			}
			all := 0
			for step, n := range grown {
				all += n
				if !allDue[step-1] || step-1 == 19 {
					t.Errorf("%s, step %d: %d weights grew, want none", way, step, n)
				}
			}
			if all == 0 {
				t.Errorf("%s: nothing grew", way)
			}
		}
	}
}

// TestRegrowTakesTheLargest does a regrowth by hand beside that of a run: the same
// weights change places if gradients are those of a network that knows no masks.
func TestRegrowTakesTheLargest(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Batch, cfg.Temperature = 32, 1
	cfg.Prune = Pruning{Sparsity: optim.Set(0.9), End: 1, Every: 1, Schedule: "linear:from=0", Regrow: optim.RigL}
	x := labelled(64, 4, 8, 10, 10)
	m := prunedModel(t)
	for _, p := range m.Params {
		p.Mask = nil // what is zero may grow
	}
	r := calibrated(t, m, x, cfg)
	if err := r.prune(); err != nil {
		t.Fatal(err)
	}
	batch := make([]int, 32)
	for i := range batch {
		batch[i] = i
	}
	r.at.Step++

	// A network of the same weights without masks.
	free := prunedModel(t)
	for _, p := range free.Params {
		p.Mask = nil
	}
	n, err := newNetwork(free, x.loader(t), cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.gradients(context.Background(), batch, 1); err != nil {
		t.Fatal(err)
	}
	if err := r.network.denseGradients(context.Background(), batch, 1); err != nil {
		t.Fatal(err)
	}
	dense := map[string][]float32{}
	for i, p := range m.Params {
		for k, g := range p.Grad {
			if want := free.Params[i].Grad[k]; g != want {
				t.Fatalf("%s[%d]: got a gradient of %g, want %g as without masks", p.Name, k, g, want)
			}
		}
		dense[p.Name] = slices.Clone(p.Grad)
	}

	masks := map[string][]bool{}
	for _, p := range m.Params {
		masks[p.Name] = slices.Clone(p.Mask)
	}
	if err := r.regrow(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Params {
		if !p.Decayed() {
			continue
		}
		least, grown := math.Inf(1), 0 // of the gradients of what grew
		for i, kept := range p.Mask {
			if kept && !masks[p.Name][i] {
				grown++
				least = min(least, math.Abs(float64(dense[p.Name][i])))
			}
		}
		if grown == 0 {
			t.Errorf("%s: nothing grew", p.Name)
		}
		for i, kept := range p.Mask {
			if g := math.Abs(float64(dense[p.Name][i])); !kept && g > least {
				t.Errorf("%s[%d] has a gradient of %g and did not grow; one of %g did", p.Name, i, g, least)
			}
		}
	}

	// In the step that follows, gradients of what is pruned are left out again, and
	// no others.
	if _, err := r.network.gradients(context.Background(), batch, 2); err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Params {
		copy(free.Params[i].Value, p.Value)
	}
	if _, err := n.gradients(context.Background(), batch, 2); err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Params {
		for k, kept := range p.Mask {
			want := free.Params[i].Grad[k]
			if !kept {
				want = 0
			}
			if got := p.Grad[k]; math.Abs(float64(got-want)) > 1e-5 {
				t.Fatalf("%s[%d], kept %t: got a gradient of %g, want %g", p.Name, k, kept, got, want)
			}
		}
	}
}

// TestRegrowSameBytes trains with another number of threads, and another seed.
func TestRegrowSameBytes(t *testing.T) {
	defer kernel.SetThreads(kernel.Threads())
	l := labelled(20, 3, 1, 6, 6).loader(t)
	for _, way := range optim.Regrowths {
		var want [][]float32
		for _, threads := range []int{1, 2, 5} {
			kernel.SetThreads(threads)
			m := convnet().model(t)
			mustRun(t, m, l, nil, regrowing(way))
			if want == nil {
				want = values(m)
			}
			if !equalValues(values(m), want) {
				t.Errorf("%s, %d threads: got other parameters than with one", way, threads)
			}
		}
	}
}

// TestKeptZerosNeverGrow has zeros in the model that are to stay, and may come back
// where they are not. TestResumeIsUninterrupted has the same with a run resumed.
func TestKeptZerosNeverGrow(t *testing.T) {
	for _, keep := range []bool{true, false} {
		m := convnet().model(t)
		fc := param(t, m, "fc.weight")
		clear(fc.Value[:96])
		cfg := regrowing(optim.RigL)
		cfg.Prune.KeepZeros, cfg.Prune.RegrowFraction = keep, 0.9
		mustRun(t, m, labelled(20, 3, 1, 6, 6).loader(t), nil, cfg)
		back := 0
		for _, w := range fc.Value[:96] {
			if w != 0 {
				back++
			}
		}
		if keep != (back == 0) {
			t.Errorf("to keep zeros is %t: got %d of them back", keep, back)
		}
	}
}

// TestRegrowMeans takes the mean of weights some of which came back: where a mask
// is, the mean is zero, and what came back has one.
func TestRegrowMeans(t *testing.T) {
	cfg := regrowing(optim.SET)
	cfg.Average = Average{Kind: optim.SWA, Every: "1"}
	m := convnet().model(t)
	mustRun(t, m, labelled(20, 3, 1, 6, 6).loader(t), nil, cfg)
	for _, name := range []string{"conv.weight", "fc.weight"} {
		p := param(t, m, name)
		for i, kept := range p.Mask {
			if !kept && p.Value[i] != 0 {
				t.Errorf("%s[%d] is pruned and its mean is %g", name, i, p.Value[i])
			}
		}
	}
}

func TestRegrowConfig(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`regrow: "set!" is not one of rigl, set`:                                                        func(c *Config) { c.Prune.Regrow = "set!" },
		"regrow: pruning begins and ends after 0.5 of the run, which leaves no time for it":             func(c *Config) { c.Prune.Begin, c.Prune.End = 0.5, 0.5 },
		"regrow: without a sparsity nothing is pruned that could grow again":                            func(c *Config) { c.Prune.Sparsity = nil },
		"regrow: lbfgs remembers steps of all weights at once, and cannot forget those that have grown": func(c *Config) { c.Optim = optim.Default("lbfgs") },
	} {
		cfg := regrowing(optim.SET)
		change(&cfg)
		if err := cfg.Check(); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
