package kernel

import "testing"

func TestSplitterCoversTheRange(t *testing.T) {
	type counter struct{ seen []float32 }
	s := split(func(a *counter, lo, hi int) {
		for i := lo; i < hi; i++ {
			a.seen[i]++
		}
	})
	for _, n := range []int{0, 1, 9, 10, 11, 20, 101} {
		for _, grain := range []int{0, 1, 10, 200} {
			seen := make([]float32, n)
			s.do(n, grain, counter{seen})
			for i, got := range seen {
				if got != 1 {
					t.Fatalf("%d in chunks of %d: index %d: got %v visits, want 1", n, grain, i, got)
				}
			}
		}
	}
}

func TestSplitterAddsUpItsParts(t *testing.T) {
	s := splitSum(func(a *int, lo, hi int) float64 { return float64(*a * (hi - lo)) })
	if got := s.do(1000, 7, 3); got != 3000 {
		t.Errorf("got %v, want 3000", got)
	}
	if got := s.do(0, 7, 3); got != 0 {
		t.Errorf("of nothing: got %v, want 0", got)
	}
}

// TestElementwiseAllocates covers every kind of argument a splitter carries.
func TestElementwiseAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("allocations cannot be counted under the race detector")
	}
	const n = 3 * chunk
	x, y, ints := noise(1, n), make([]float32, n), make([]int64, n)
	labels := make([]int64, n/64)
	same := NewBroadcast([]int{n}, []int{n}, []int{n})
	view := NewView([]int{64, n / 64}, []int{1, 64}, 0)
	sum := NewReduction([]int{n / 64, 64}, []bool{true, false})
	for name, f := range map[string]func(){
		"Relu":         func() { Relu(y, x) },
		"Combine":      func() { Combine(Add, y, x, x, &same) },
		"Combine ints": func() { Combine(Add, ints, ints, ints, &same) },
		"Read":         func() { Read(y, x, &view) },
		"Write":        func() { Write(y, x, &view) },
		"Sum":          func() { Sum(y[:64], x, &sum, 1) },
		"Softmax":      func() { Softmax(y, x, n/64, 64, 1, false) },
		"CrossEntropy": func() { CrossEntropy(x, labels, n/64, 64) },
		"Gather":       func() { Gather(y, x, labels, 1, n/64, 64) },
		"ScatterAdd":   func() { ScatterAdd(y, x, labels, 1, n/64, 64) },
		"Dropout":      func() { Dropout(y, x, 0.5, 1, 2) },
	} {
		if got := testing.AllocsPerRun(20, f); got > 0 {
			t.Errorf("%s: got %v allocations per call, want 0", name, got)
		}
	}
}
