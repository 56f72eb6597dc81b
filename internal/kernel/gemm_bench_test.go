package kernel

import (
	"fmt"
	"runtime"
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
		size{1024, 256, 1024, "NN"}, size{64, 4096, 1024, "NN"}, size{16, 4096, 1024, "NN"}, size{32, 1024, 256, "NN"}, size{1024, 1, 256, "NN"}, size{128, 128, 64, "NT"},
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
// the peak of so many cores: medians for one thread, which is timed without the
// interruptions by others; else the upper deciles, as of the rest of the runs
// many were interrupted if the machine is busy.
func benchShare(b *testing.B, operations, threads int, f func()) {
	now, quantile := threadTime, 5
	if threads > 1 {
		start := time.Now()
		now, quantile = func() time.Duration { return time.Since(start) }, 9
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
	rounds := max(1, 10_000_000/operations)
	var speeds, peaks []float64
	for b.Loop() {
		start := now()
		for range rounds {
			f()
		}
		middle := now()
		peak := active.peak(1 << 15)
		end := now()
		speeds = append(speeds, float64(rounds*operations)/float64(middle-start))
		peaks = append(peaks, float64(peak)/float64(end-middle))
	}
	slices.Sort(speeds)
	slices.Sort(peaks)
	speed, peak := speeds[len(speeds)*quantile/10], float64(threads)*peaks[len(peaks)*quantile/10]
	b.ReportMetric(speed, "GFLOP/s")
	b.ReportMetric(100*speed/peak, "%peak")
	b.ReportMetric(float64(operations)/speed, "ns/product")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkGemmBatch is BenchmarkGemm for the products of attention: 64 heads of
// 128 tokens.
func BenchmarkGemmBatch(b *testing.B) {
	const count = 64
	benchISA(b, func(b *testing.B) {
		for _, s := range []struct {
			m, n, k int
			trans   string
		}{{128, 128, 32, "NT"}, {128, 32, 128, "NN"}, {128, 32, 128, "TN"}, {16, 16, 32, "NT"}, {512, 512, 64, "NT"}} {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", s.m, s.n, s.k, s.trans), func(b *testing.B) {
				SetThreads(1)
				defer SetThreads(0)
				x, y, c := noise(1, count*s.m*s.k), noise(2, count*s.k*s.n), make([]float32, count*s.m*s.n)
				var xOff, yOff []int
				for i := range count {
					xOff, yOff = append(xOff, i*s.m*s.k), append(yOff, i*s.k*s.n)
				}
				benchShare(b, 2*count*s.m*s.n*s.k, 1, func() {
					GemmBatch(s.trans[0] == 'T', s.trans[1] == 'T', s.m, s.n, s.k, 1, x, xOff, y, yOff, c)
				})
			})
		}
	})
}
