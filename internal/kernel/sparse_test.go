package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// emptied is n weights of which about a share is not zero, and where.
func emptied(seed uint64, n int, share float64) (w []float32, z *Pruned) {
	random := rand.New(rand.NewPCG(seed, 2))
	w = noise(seed, n)
	keep := make([]bool, n)
	for i := range w {
		if keep[i] = random.Float64() < share; !keep[i] {
			w[i] = 0
		}
	}
	z = new(Pruned)
	z.Set(keep)
	return w, z
}

var sparseSizes = []struct{ m, n, k int }{
	{16, 1, 1}, {17, 3, 5}, {64, 10, 128}, {130, 65, 33}, {256, 70, 40}, {300, 7, 700}, {33, 128, 9},
}

// TestSparseProduct holds products to those of Gemm with the same epilogue.
func TestSparseProduct(t *testing.T) { eachISA(t, testSparseProduct) }

func testSparseProduct(t *testing.T) {
	for _, s := range sparseSizes {
		for _, share := range []float64{0, 0.05, 0.4, 1} {
			for parts := range 4 {
				trans := parts&1 > 0
				a := fenced(t, noise(1, s.m*s.k))
				b, z := emptied(2, s.n*s.k, share)
				var then Epilogue
				if parts&2 > 0 {
					then = Epilogue{
						Row: noise(3, s.m), Col: noise(4, s.n), Add: noise(5, s.m*s.n),
						Clamp: true, Lo: -1, Hi: 2, Gate: zeroSome(noise(6, s.m*s.n)),
					}
				}
				want := dirty(s.m * s.n)
				ldb := s.n
				if trans {
					ldb = s.k
				}
				GemmThen(false, trans, s.m, s.n, s.k, 1, a, s.k, b, ldb, 0, want, s.n, then)
				got, check := guarded(t, s.m*s.n, 0)
				what := fmt.Sprintf("%+v, %v of the weights, transposed %t, %d", s, share, trans, parts)
				p := NewSparseProduct(s.m, s.n, s.k, trans)
				for range 2 {
					p.Run(a, b, got, z, then)
					check(what)
					compare(t, what, got, doubles(want), tolerance(s.k))
				}
			}
		}
	}
}

func zeroSome(x []float32) []float32 {
	for i := range x {
		x[i] = max(0, x[i])
	}
	return x
}

func doubles(x []float32) []float64 {
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = float64(v)
	}
	return d
}

func TestSparseGradient(t *testing.T) { eachISA(t, testSparseGradient) }

func testSparseGradient(t *testing.T) {
	for _, s := range sparseSizes {
		for _, share := range []float64{0, 0.05, 0.4, 1} {
			a, b := fenced(t, noise(1, s.m*s.k)), fenced(t, noise(2, s.n*s.k))
			_, z := emptied(3, s.m*s.n, share)
			want := dirty(s.m * s.n)
			Gemm(true, false, s.m, s.n, s.k, 1, a, s.m, b, s.n, 0, want, s.n)
			z.Clear(want)
			got, check := guarded(t, s.m*s.n, 0)
			what := fmt.Sprintf("%+v, %v of the weights", s, share)
			NewSparseGradient(s.m, s.n, s.k).Run(a, b, got, z)
			check(what)
			compare(t, what, got, doubles(want), tolerance(s.k))
		}
	}
}

// BenchmarkSparse compares products with weights of which a share is not zero
// with dense ones, on one thread:
//
//	go test ./internal/kernel -run - -bench Sparse/avx512/256
func BenchmarkSparse(b *testing.B) {
	defer SetThreads(Threads())
	SetThreads(1)
	benchISA(b, func(b *testing.B) {
		for _, s := range []struct{ m, n, k int }{{256, 1024, 1024}, {64, 512, 784}, {64, 128, 3136}, {1024, 1024, 256}} {
			a, g := noise(1, s.m*s.k), noise(2, s.m*s.n)
			y, dw := make([]float32, s.m*s.n), make([]float32, s.k*s.n)
			for _, zeros := range []int{0, 30, 50, 60, 70, 80, 90, 95, 98} {
				w, z := emptied(3, s.n*s.k, 1-float64(zeros)/100)
				p, q := NewSparseProduct(s.m, s.n, s.k, true), NewSparseGradient(s.n, s.k, s.m)
				for _, pass := range []struct {
					name          string
					dense, sparse func()
				}{
					{"product", func() { Gemm(false, true, s.m, s.n, s.k, 1, a, s.k, w, s.k, 0, y, s.n) }, func() { p.Run(a, w, y, z, Epilogue{}) }},
					{"gradient", func() { Gemm(true, false, s.n, s.k, s.m, 1, g, s.n, a, s.k, 0, dw, s.k) }, func() { q.Run(g, a, dw, z) }},
				} {
					b.Run(fmt.Sprintf("%dx%dx%d/%s/%d", s.m, s.n, s.k, pass.name, zeros), func(b *testing.B) {
						benchRatio(b, pass.sparse, pass.dense)
					})
				}
			}
		}
	})
}

// benchRatio reports the time of f as a share of that of g, both in turn.
func benchRatio(b *testing.B, f, g func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
	g()
	var ratios []float64
	for b.Loop() {
		start := threadTime()
		f()
		middle := threadTime()
		g()
		ratios = append(ratios, float64(middle-start)/float64(threadTime()-middle))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "of-dense")
}
