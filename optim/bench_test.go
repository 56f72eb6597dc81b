package optim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"finetune/internal/kernel"
)

// BenchmarkRules is a step of each rule with L1 and a mask.
func BenchmarkRules(b *testing.B) {
	for _, r := range stepped() {
		b.Run(r.Name, func(b *testing.B) {
			kernel.SetThreads(1)
			defer kernel.SetThreads(0)
			p := benchOptimizer(b, r.Name, 1<<16).tensors[0].Param
			p.Shape = []int{256, 256}
			cfg := Default(r.Name)
			cfg.L1 = Set(1e-5)
			o, err := New([]*Param{p}, cfg)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				o.Step(1)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(p.Value)), "ns/param")
		})
	}
}

// BenchmarkChainToFused is a step of each rule with L1, L2 and a mask that prunes half
// of the weights, as a chain and as one loop written by hand in plain Go. With
// KERNEL_ISA=generic the chain is plain Go too.
func BenchmarkChainToFused(b *testing.B) {
	for _, n := range []int{1 << 16, 10_000_000} {
		for _, r := range stepped() {
			if fused[r.Name] == nil {
				continue
			}
			b.Run(fmt.Sprintf("n=%d/%s", n, r.Name), func(b *testing.B) {
				o := benchOptimizer(b, r.Name, n)
				inTurn(b, n, "chain/fused", func() { o.Step(1) }, func() { fusedStep(o) })
			})
		}
	}
}

// BenchmarkChainToMemory is a step of the rules that are vector code from end to end,
// and a pass that reads and writes the same memory and does nothing else.
func BenchmarkChainToMemory(b *testing.B) {
	for _, n := range []int{1 << 16, 10_000_000} {
		for _, rule := range []string{"sgd", "adamw"} {
			b.Run(fmt.Sprintf("n=%d/%s", n, rule), func(b *testing.B) {
				o := benchOptimizer(b, rule, n)
				inTurn(b, n, "chain/memory", func() { o.Step(1) }, func() { memoryPass(o) })
			})
		}
	}
}

func memoryPass(o *Optimizer) {
	kernel.Parallel(len(o.tasks), func(i int) {
		t := &o.tasks[i]
		links := []kernel.Link{applyMask(), {Kind: kernel.End}}
		t.vectors(links, t.lo, t.hi, t.x.Grad[t.lo:t.hi], nil)
	})
}

// inTurn runs two functions in turn, in one thread, and reports the medians of how
// long the first took for each of n parameters and of how their times compare. Other
// programs on the machine disturb these least.
func inTurn(b *testing.B, n int, unit string, f, g func()) {
	kernel.SetThreads(1)
	defer kernel.SetThreads(0)
	var times, ratios []float64
	for b.Loop() {
		start := time.Now()
		f()
		middle := time.Now()
		g()
		first, second := middle.Sub(start), time.Since(middle)
		times, ratios = append(times, float64(first)/float64(n)), append(ratios, float64(first)/float64(second))
	}
	slices.Sort(times)
	slices.Sort(ratios)
	b.ReportMetric(times[len(times)/2], "ns/param")
	b.ReportMetric(ratios[len(ratios)/2], unit)
	b.ReportMetric(0, "ns/op") // of both together
}

// TestFusedEqualsChain holds the loops of the benchmark and the chains to the same
// bits, so that the benchmark compares like with like.
func TestFusedEqualsChain(t *testing.T) {
	for _, r := range stepped() {
		if got, want := fused[r.Name] != nil, len(r.stages) == 1; got != want {
			t.Errorf("%s has %d stages: got a loop to compare with %t, want %t", r.Name, len(r.stages), got, want)
		}
	}
	for name := range fused {
		for _, n := range []int{1, 7, 63, 64, 1024, 1025, taskLen + 5} {
			chain, loop := benchOptimizer(t, name, n), benchOptimizer(t, name, n)
			for range 10 {
				chain.Step(1)
				fusedStep(loop)
			}
			what := fmt.Sprintf("%s, n=%d", name, n)
			sameBits(t, what, loop.groups[0].Params, chain.groups[0].Params)
			for slot, values := range chain.state.Slots {
				if got := loop.state.Slots[slot]; !slices.Equal(got["w"], values["w"]) {
					t.Errorf("%s: the loop leaves other numbers in %s than the chain", what, slot)
				}
			}
		}
	}
}

func benchOptimizer(tb testing.TB, rule string, n int) *Optimizer {
	r := rand.New(rand.NewPCG(1, 2))
	p := &Param{Name: "w", Role: Weight, Shape: []int{1, n}, Trainable: true,
		Value: make([]float32, n), Grad: make([]float32, n), Mask: make([]bool, n)}
	for i := range p.Value {
		p.Value[i] = r.Float32() - 0.5
		p.Grad[i] = r.Float32() - 0.5
		p.Mask[i] = r.Float32() < 0.5
	}
	cfg := Default(rule)
	cfg.L1, cfg.L2 = Set(1e-5), Set(1e-4)
	if rule == "sgd" {
		cfg.Momentum = Set(0.9)
	}
	o, err := New([]*Param{p}, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}
