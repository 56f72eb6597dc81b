package optim

import (
	"fmt"
	"math"
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
					o := benchOptimizer(b, n)
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
			p := benchOptimizer(b, 1<<16).tensors[0].Param
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
// times compare, which other programs on the machine disturb least. With -tags
// purego the chain is plain Go like the loop.
func BenchmarkChainToFused(b *testing.B) {
	for _, n := range []int{1 << 16, 10_000_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			kernel.SetThreads(1)
			defer kernel.SetThreads(0)
			o := benchOptimizer(b, n)
			var chain, fused []time.Duration
			for b.Loop() {
				start := time.Now()
				o.Step(1)
				middle := time.Now()
				fusedStep(o)
				chain, fused = append(chain, middle.Sub(start)), append(fused, time.Since(middle))
			}
			slices.Sort(chain)
			slices.Sort(fused)
			b.ReportMetric(float64(chain[len(chain)/2])/float64(fused[len(fused)/2]), "chain/fused")
		})
	}
}

// TestFusedEqualsChain holds the loop of the benchmark and the chain to the same
// bits, so that the benchmark compares like with like.
func TestFusedEqualsChain(t *testing.T) {
	for _, n := range []int{1, 7, 63, 64, 1024, 1025, taskLen + 5} {
		chain, fused := benchOptimizer(t, n), benchOptimizer(t, n)
		for range 10 {
			chain.Step(1)
			fusedStep(fused)
		}
		got, want := fused.groups[0].Params[0].Value, chain.groups[0].Params[0].Value
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("n=%d: weight %d: got %g fused, want %g as in the chain", n, i, got[i], want[i])
			}
		}
	}
}

func benchOptimizer(tb testing.TB, n int) *Optimizer {
	r := rand.New(rand.NewPCG(1, 2))
	p := &Param{Name: "w", Role: Weight, Shape: []int{1, n}, Trainable: true,
		Value: make([]float32, n), Grad: make([]float32, n), Mask: make([]bool, n)}
	for i := range p.Value {
		p.Value[i] = r.Float32() - 0.5
		p.Grad[i] = r.Float32() - 0.5
		p.Mask[i] = r.Float32() < 0.5
	}
	cfg := Default("adamw")
	cfg.L1, cfg.L2 = Set(1e-5), Set(1e-4)
	o, err := New([]*Param{p}, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// fusedStep does what o.Step(1) does, all in one loop.
func fusedStep(o *Optimizer) {
	o.state.Step++
	h, t := o.groups[0].Hyper, float64(o.state.Step)
	c1, c2 := 1-math.Pow(h.Beta1, t), 1-math.Pow(h.Beta2, t)
	beta1, rest1 := float32(h.Beta1), float32(1-h.Beta1)
	beta2, rest2 := float32(h.Beta2), float32(1-h.Beta2)
	root := math.Sqrt(c2)
	lr, eps := float32(h.LR*root/c1), float32(h.Eps*root)
	keep, l1, l2 := float32(1-h.LR*h.WeightDecay), math.Float32bits(float32(h.L1)), float32(h.L2)
	kernel.Parallel(len(o.tasks), func(i int) {
		k := o.tasks[i]
		w, g, mask := k.x.Value[k.lo:k.hi], k.x.Grad[k.lo:k.hi], k.x.Mask[k.lo:k.hi]
		m, v := k.x.slots[0][k.lo:k.hi], k.x.slots[1][k.lo:k.hi]
		g, mask, m, v = g[:len(w)], mask[:len(w)], m[:len(w)], v[:len(w)]
		for i, x := range w {
			bits := math.Float32bits(x)
			sign := l1 | bits&signBit
			if bits&^signBit == 0 {
				sign = 0
			}
			u := g[i] + float32(l2*x) + math.Float32frombits(sign)
			mi := float32(beta1*m[i]) + float32(rest1*u)
			vi := float32(beta2*v[i]) + float32(float32(rest2*u)*u)
			x = float32(keep*x) - float32(lr*(mi/(float32(math.Sqrt(float64(vi)))+eps)))
			live := ^uint32(0)
			if !mask[i] {
				live = 0
			}
			w[i] = math.Float32frombits(math.Float32bits(x) & live)
			m[i] = math.Float32frombits(math.Float32bits(mi) & live)
			v[i] = math.Float32frombits(math.Float32bits(vi) & live)
		}
	})
}
