package optim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"finetune/internal/kernel"
)

// BenchmarkStep is one AdamW step with L1, L2 and a mask that prunes half of the
// weights, as a chain and as one loop written by hand. Read ns/param.
func BenchmarkStep(b *testing.B) {
	for _, threads := range []int{1, 2} {
		for _, n := range []int{1 << 16, 10_000_000} {
			for _, impl := range []string{"chain", "fused"} {
				b.Run(fmt.Sprintf("impl=%s/n=%d/threads=%d", impl, n, threads), func(b *testing.B) {
					kernel.SetThreads(threads)
					defer kernel.SetThreads(0)
					o := benchOptimizer(b, "adamw", n)
					step := func() { o.Step(1) }
					if impl == "fused" {
						step = func() { fusedStep(o) }
					}
					step()
					b.ResetTimer()
					for b.Loop() {
						step()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/param")
				})
			}
		}
	}
}

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

// BenchmarkChainToFused runs the two in turn and reports how the medians of their
// times compare, which other programs on the machine disturb least. With
// KERNEL_ISA=generic the chain is plain Go like the loop.
func BenchmarkChainToFused(b *testing.B) {
	for _, n := range []int{1 << 16, 10_000_000} {
		for _, r := range stepped() {
			if fused[r.Name] == nil {
				continue
			}
			b.Run(fmt.Sprintf("n=%d/%s", n, r.Name), func(b *testing.B) {
				kernel.SetThreads(1)
				defer kernel.SetThreads(0)
				o := benchOptimizer(b, r.Name, n)
				var chain, loop []time.Duration
				for b.Loop() {
					start := time.Now()
					o.Step(1)
					middle := time.Now()
					fusedStep(o)
					chain, loop = append(chain, middle.Sub(start)), append(loop, time.Since(middle))
				}
				slices.Sort(chain)
				slices.Sort(loop)
				c, l := float64(chain[len(chain)/2]), float64(loop[len(loop)/2])
				b.ReportMetric(c/float64(n), "ns/param")
				b.ReportMetric(c/l, "chain/fused")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// TestFusedEqualsChain holds the loops of the benchmark and the chains to the same
// bits, so that the benchmark compares like with like.
func TestFusedEqualsChain(t *testing.T) {
	for _, r := range stepped() {
		if len(r.stages) == 1 != (fused[r.Name] != nil) {
			t.Errorf("%s has %d stages; those of one stage have a loop to compare with", r.Name, len(r.stages))
		}
	}
	for name := range fused {
		for _, n := range []int{1, 7, 63, 64, 1024, 1025, taskLen + 5} {
			chain, loop := benchOptimizer(t, name, n), benchOptimizer(t, name, n)
			for range 10 {
				chain.Step(1)
				fusedStep(loop)
			}
			got, want := loop.groups[0].Params, chain.groups[0].Params
			sameBits(t, fmt.Sprintf("%s, n=%d", name, n), got, want)
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
