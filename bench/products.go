package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"finetune/bench/protocol"
	"finetune/internal/kernel"
)

// products is the speed of matrix products on one thread, for each instruction
// set, as shares of what its multiply-adders do in the same run.
type products struct {
	Sets []productSet `json:"sets"`
}

type productSet struct {
	ISA    string    `json:"isa"`
	Peak   float64   `json:"peak"`   // floating-point operations per second
	Shares []float64 `json:"shares"` // of each shape
}

// productShapes are products of m by k with k by n matrices.
var productShapes = []struct {
	name           string
	transA, transB bool
	m, n, k        int
}{
	{"512³", false, false, 512, 512, 512},
	{"512³, B transposed", false, true, 512, 512, 512},
	{"512³, A transposed", true, false, 512, 512, 512},
	{"128³", false, false, 128, 128, 128},
	{"1024³", false, false, 1024, 1024, 1024},
}

// productGoal is the share at 512³ that is aimed at, with AVX2 and AVX-512.
const productGoal = 0.85

// measureProducts has a process measure for each instruction set there is.
func (b *bench) measureProducts() error {
	return b.measure("products", "products", func(r *result) error {
		r.Products = new(products)
		for _, isa := range instructionSets {
			p, err := startOurs(protocol.Job{Mode: "products", Threads: 1}, "KERNEL_ISA="+isa)
			if err != nil && strings.Contains(err.Error(), "KERNEL_ISA") {
				continue // this processor does not have it
			}
			if err != nil {
				return err
			}
			r.Products.Sets = append(r.Products.Sets, productSet{isa, p.first.Peak, p.first.Shares})
			p.stop()
		}
		return nil
	})
}

// undisturbed is the share of measurements that neighbours have slowed down, or
// less.
const undisturbed = 0.8

// products measures each shape in turn with the peak.
func (w *worker) products() error {
	const rounds = 15
	a := answer{Peak: peak()}
	for _, s := range productShapes {
		x, y, z := make([]float32, s.m*s.k), make([]float32, s.k*s.n), make([]float32, s.m*s.n)
		for i := range x {
			x[i] = float32(i%7) - 3
		}
		for i := range y {
			y[i] = float32(i%5) - 2
		}
		lda, ldb := s.k, s.n
		if s.transA {
			lda = s.m
		}
		if s.transB {
			ldb = s.k
		}
		multiply := func() { kernel.Gemm(s.transA, s.transB, s.m, s.n, s.k, 1, x, lda, y, ldb, 0, z, s.n) }
		multiply()
		times := 1 + int(a.Peak*0.005)/(2*s.m*s.n*s.k)
		var speeds, peaks []float64
		for range rounds {
			start := time.Now()
			for range times {
				multiply()
			}
			speeds = append(speeds, float64(2*s.m*s.n*s.k*times)/time.Since(start).Seconds())
			peaks = append(peaks, kernel.Peak())
		}
		a.Shares = append(a.Shares, quantile(speeds, undisturbed)/quantile(peaks, undisturbed))
	}
	w.say(a)
	w.wait()
	return nil
}

func (p *page) products(b *bytes.Buffer) {
	all := p.results.of("products", "products").Products
	if all == nil {
		return
	}
	fmt.Fprintf(b, "\n## Matrix products\n\nOn one thread, as a share of the peak: what the multiply-adders do in the same run, in\nregisters. The goal at 512³ is %.2f with AVX2 and AVX-512.\n\n| | peak, GFLOP/s |", productGoal)
	for _, s := range productShapes {
		fmt.Fprintf(b, " %s |", s.name)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", 1+len(productShapes)))
	for _, set := range all.Sets {
		fmt.Fprintf(b, "| %s | %.0f |", map[string]string{"generic": "portable Go", "avx2": "AVX2", "avx512": "AVX-512"}[set.ISA], set.Peak/1e9)
		for i, share := range set.Shares {
			mark := ""
			if i == 0 && set.ISA != instructionSets[0] {
				mark = verdict(share >= productGoal)
			}
			fmt.Fprintf(b, " %.2f%s |", share, mark)
		}
		b.WriteString("\n")
	}
}
