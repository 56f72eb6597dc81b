package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkGemm prints the speed of products, and the share of what the
// multiply-adders could do at the time:
//
//	go test ./internal/kernel -run - -bench 'Gemm/avx512/1/'
//
// The names tell instruction set, threads, size, and what is transposed.
func BenchmarkGemm(b *testing.B) {
	type size struct {
		m, n, k int
		trans   string
	}
	var sizes []size
	for _, n := range []int{64, 128, 256, 512, 1024, 2048} {
		for _, trans := range []string{"NN", "NT", "TN"} {
			sizes = append(sizes, size{n, n, n, trans})
		}
	}
	sizes = append(sizes,
		size{64, 512, 784, "NN"}, size{64, 512, 784, "NT"}, size{512, 784, 64, "TN"}, // 784-512 layer, forward and backward
		size{64, 10, 512, "NN"}, size{64, 10, 512, "NT"}, size{10, 512, 64, "TN"}, size{512, 10, 64, "TN"}, size{64, 512, 10, "NN"}, size{64, 512, 10, "NT"},
		size{256, 1024, 1024, "NT"}, size{1024, 1024, 256, "TN"}, size{256, 100, 1024, "NT"},
		size{32, 64, 20, "NN"}, size{32, 3, 64, "NN"}, size{32, 3, 64, "NT"}, size{64, 20, 32, "TN"}, // a tabular model
		size{32, 1024, 256, "NT"}, size{1, 1024, 1024, "NN"}, size{1, 1024, 1024, "NT"}, size{4, 1024, 1024, "NN"}, size{4, 1024, 1024, "NT"},
		size{1024, 256, 1024, "NN"}, size{1024, 1, 256, "NN"}, size{128, 128, 64, "NT"},
	)
	benchISA(b, func(b *testing.B) {
		for _, threads := range []int{1, 2} {
			for _, s := range sizes {
				b.Run(fmt.Sprintf("%d/%dx%dx%d/%s", threads, s.m, s.n, s.k, s.trans), func(b *testing.B) {
					SetThreads(threads)
					defer SetThreads(0)
					transA, transB := s.trans[0] == 'T', s.trans[1] == 'T'
					lda, ldb := s.k, s.n
					if transA {
						lda = s.m
					}
					if transB {
						ldb = s.k
					}
					x, y, c := noise(1, s.m*s.k), noise(2, s.k*s.n), make([]float32, s.m*s.n)
					run := func() {
						Gemm(transA, transB, s.m, s.n, s.k, 1, x, lda, y, ldb, 0, c, s.n)
					}
					benchShare(b, 2*s.m*s.n*s.k, threads, run)
				})
			}
		}
	})
}

// benchShare times a function that does so many floating point operations, in
// turns with the peak of the processor, and reports its speed, and the share of
// the peak of so many cores. It takes the ninth decile of the speeds of short
// runs: on a busy machine, the rest are those that were interrupted.
func benchShare(b *testing.B, operations, threads int, f func()) {
	f()
	rounds := max(1, 10_000_000/operations)
	var speeds, peaks []float64
	for b.Loop() {
		speeds = append(speeds, speed(func() int {
			for range rounds {
				f()
			}
			return rounds * operations
		}))
		peaks = append(peaks, speed(func() int { return active.peak(1 << 12) }))
	}
	slices.Sort(speeds)
	slices.Sort(peaks)
	got, peak := speeds[len(speeds)*9/10], float64(threads)*peaks[len(peaks)*9/10]
	b.ReportMetric(got, "GFLOP/s")
	b.ReportMetric(100*got/peak, "%peak")
	b.ReportMetric(float64(operations)/got, "ns/product")
	b.ReportMetric(0, "ns/op")
}

// speed is the operations that f says it did, in thousands of millions a second.
func speed(f func() int) float64 {
	start := time.Now()
	operations := f()
	return float64(operations) / float64(time.Since(start).Nanoseconds())
}
