package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// noise is n numbers of both signs, the same at each call with the same seed.
func noise(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// compare reports the element that is furthest off, relative to scale.
func compare(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", what, len(got), len(want))
	}
	worst, at := 0.0, -1
	for i := range got {
		off := math.Abs(float64(got[i])-want[i]) / (1 + math.Abs(want[i]))
		if !(off <= worst) { // NaN is the worst
			worst, at = off, i
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: element %d: got %v, want %v", what, at, got[at], want[at])
	}
}

// naiveGemm is the definition.
func naiveGemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) []float64 {
	out := make([]float64, len(c))
	for i, v := range c {
		out[i] = float64(v)
	}
	for i := range m {
		for j := range n {
			sum := 0.0
			for p := range k {
				x, y := i*lda+p, p*ldb+j
				if transA {
					x = p*lda + i
				}
				if transB {
					y = j*ldb + p
				}
				sum += float64(a[x]) * float64(b[y])
			}
			old := 0.0
			if beta != 0 {
				old = float64(beta) * out[i*ldc+j]
			}
			out[i*ldc+j] = float64(alpha)*sum + old
		}
	}
	return out
}

func TestGemm(t *testing.T) {
	sizes := [][3]int{
		{1, 1, 1}, {1, 1, 0}, {2, 4, 4}, {3, 5, 7}, {1, 33, 9}, {31, 1, 5}, {17, 13, 1},
		{5, 3, 255}, {4, 4, 257}, {65, 63, 33}, {129, 131, 3}, {10, 700, 20}, {300, 2, 600}, {128, 128, 256}, {64, 64, 300}, {0, 3, 2}, {3, 0, 2},
	}
	for _, s := range sizes {
		m, n, k := s[0], s[1], s[2]
		for flags := range 8 {
			transA, transB, gap := flags&1 != 0, flags&2 != 0, flags>>2*3
			ar, lda, br, ldb := m, k+gap, k, n+gap
			if transA {
				ar, lda = k, m+gap
			}
			if transB {
				br, ldb = n, k+gap
			}
			ldc := n + gap
			a, b := noise(1, ar*lda), noise(2, br*ldb)
			for _, f := range [][2]float32{{1, 0}, {0.5, 1}, {2, -0.25}} {
				c := noise(3, m*ldc)
				want := naiveGemm(transA, transB, m, n, k, f[0], a, lda, b, ldb, f[1], c, ldc)
				if f[1] == 0 {
					for i := range m {
						fill(c[i*ldc:][:n], float32(math.NaN()))
					}
				}
				Gemm(transA, transB, m, n, k, f[0], a, lda, b, ldb, f[1], c, ldc)
				what := fmt.Sprintf("%dx%dx%d, transposed %t %t, factors %v, gap %d", m, n, k, transA, transB, f, gap)
				compare(t, what, c, want, 3e-6*(1+math.Sqrt(float64(k))))
			}
		}
	}
}

// The largest blocks, filled and not.
func TestGemmLarge(t *testing.T) {
	for _, s := range [][3]int{{1100, 1030, 7}, {1024, 1024, 5}} {
		m, n, k := s[0], s[1], s[2]
		for flags := range 4 {
			transA, transB := flags&1 != 0, flags&2 != 0
			lda, ldb := k, n
			if transA {
				lda = m
			}
			if transB {
				ldb = k
			}
			a, b, c := noise(1, m*k), noise(2, k*n), make([]float32, m*n)
			want := naiveGemm(transA, transB, m, n, k, 1, a, lda, b, ldb, 0, c, n)
			Gemm(transA, transB, m, n, k, 1, a, lda, b, ldb, 0, c, n)
			compare(t, fmt.Sprintf("%dx%dx%d, transposed %t %t", m, n, k, transA, transB), c, want, 1e-5)
		}
	}
}

func TestGemmPropagatesNaN(t *testing.T) {
	a, b, c := make([]float32, 6), make([]float32, 6), make([]float32, 4)
	a[0] = float32(math.NaN())
	Gemm(false, false, 2, 2, 3, 1, a, 3, b, 2, 0, c, 2)
	if c[0] == c[0] || c[1] == c[1] || c[2] != 0 || c[3] != 0 {
		t.Errorf("product with NaN in row 0: got %v, want NaN in row 0 only", c)
	}
}

func TestGemmBatch(t *testing.T) {
	const m, n, k, count, terms = 7, 5, 9, 3, 2
	for flags := range 4 {
		transA, transB := flags&1 != 0, flags&2 != 0
		a, b := noise(1, 4*m*k), noise(2, 2*k*n)
		aOff := []int{0, m * k, m * k, 2 * m * k, 3 * m * k, 0}
		bOff := []int{0, k * n, 0, 0, k * n, k * n}
		lda, ldb := k, n
		if transA {
			lda = m
		}
		if transB {
			ldb = k
		}
		want := make([]float64, 0, count*m*n)
		for i := range count {
			sum := make([]float64, m*n)
			for j := i * terms; j < (i+1)*terms; j++ {
				for x, v := range naiveGemm(transA, transB, m, n, k, 0.5, a[aOff[j]:], lda, b[bOff[j]:], ldb, 0, make([]float32, m*n), n) {
					sum[x] += v
				}
			}
			want = append(want, sum...)
		}
		c := noise(3, count*m*n)
		GemmBatch(transA, transB, m, n, k, 0.5, a, aOff, b, bOff, c)
		compare(t, fmt.Sprintf("batch, transposed %t %t", transA, transB), c, want, 1e-5)
	}
}

func TestGemmArguments(t *testing.T) {
	bad := map[string]func(){
		"short a": func() {
			Gemm(false, false, 2, 2, 2, 1, make([]float32, 3), 2, make([]float32, 4), 2, 0, make([]float32, 4), 2)
		},
		"short b": func() {
			Gemm(false, true, 2, 2, 3, 1, make([]float32, 6), 3, make([]float32, 5), 3, 0, make([]float32, 4), 2)
		},
		"short c": func() {
			Gemm(false, false, 2, 2, 2, 1, make([]float32, 4), 2, make([]float32, 4), 2, 0, make([]float32, 3), 2)
		},
		"stride": func() {
			Gemm(true, false, 3, 1, 1, 1, make([]float32, 9), 2, make([]float32, 9), 1, 0, make([]float32, 9), 1)
		},
		"negative": func() { Gemm(false, false, -1, 1, 1, 1, nil, 1, nil, 1, 0, nil, 1) },
		"terms": func() {
			GemmBatch(false, false, 1, 1, 1, 1, make([]float32, 2), []int{0}, make([]float32, 2), []int{0}, make([]float32, 2))
		},
		"off the end": func() {
			GemmBatch(false, false, 1, 1, 1, 1, make([]float32, 2), []int{2}, make([]float32, 2), []int{0}, make([]float32, 1))
		},
	}
	for name, f := range bad {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: got no panic, want one", name)
				}
			}()
			f()
		}()
	}
}

// sameBits runs f, which fills a fresh result, with 1, 2 and 3 threads.
func sameBits(t *testing.T, what string, f func() []float32) {
	t.Helper()
	var want []float32
	withThreads(t, func(t *testing.T, threads int) {
		got := f()
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: results with 1 and %d threads differ", what, threads)
		}
	}, 1, 2, 3)
}

func TestGemmThreads(t *testing.T) {
	a, b := noise(1, 300*70), noise(2, 300*70)
	sameBits(t, "Gemm", func() []float32 {
		c := make([]float32, 300*300)
		Gemm(false, true, 300, 300, 70, 1, a, 70, b, 70, 0, c, 300)
		return c
	})
}

func TestGemmAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("allocations cannot be counted under the race detector")
	}
	a, b, c := noise(1, 200*200), noise(2, 200*200), make([]float32, 200*200)
	got := testing.AllocsPerRun(20, func() {
		Gemm(true, false, 200, 200, 200, 1, a, 200, b, 200, 0, c, 200)
	})
	if got > 0 {
		t.Errorf("allocations per product: got %v, want 0", got)
	}
}

func TestBias(t *testing.T) {
	const m, n = 5, 70
	x := noise(1, m*n)
	for _, s := range [][3]int{{0, 0, 1}, {0, 1, n}, {1, 0, m}, {n, 1, m * n}} {
		row, col := s[0], s[1]
		bias := noise(2, s[2])
		spread := make([]float32, m*n)
		SpreadMatrix(bias, m, n, row, col, 2, spread)
		wantSpread, wantFold := make([]float64, m*n), make([]float64, len(bias))
		for i := range m {
			for j := range n {
				wantSpread[i*n+j] = 2 * float64(bias[i*row+j*col])
				wantFold[i*row+j*col] += 3 * float64(x[i*n+j])
			}
		}
		compare(t, fmt.Sprintf("spread, strides %d %d", row, col), spread, wantSpread, 1e-6)
		FoldMatrix(x, m, n, row, col, 3, bias)
		compare(t, fmt.Sprintf("fold, strides %d %d", row, col), bias, wantFold, 1e-6)
	}
}

// report adds the speed of a benchmark whose every round does so many floating
// point operations.
func report(b *testing.B, operations int) {
	b.ReportMetric(float64(operations)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}
