package kernel

import (
	"math"
	"testing"
)

func TestCrossEntropyInChunks(t *testing.T) { eachISA(t, testCrossEntropyInChunks) }

func testCrossEntropyInChunks(t *testing.T) {
	for _, s := range []struct{ n, c int }{{1, 1}, {1, 50000}, {5000, 3}, {700, 40}} {
		x := noise(1, s.n*s.c)
		labels := make([]int64, s.n)
		want, grad := 0.0, make([]float64, len(x))
		for r := range labels {
			label := (r*7 + 3) % s.c
			labels[r] = int64(label)
			sum := 0.0
			for _, v := range x[r*s.c : (r+1)*s.c] {
				sum += math.Exp(float64(v))
			}
			want += math.Log(sum) - float64(x[r*s.c+label])
			for k := range s.c {
				grad[r*s.c+k] = 0.5 * math.Exp(float64(x[r*s.c+k])) / sum
			}
			grad[r*s.c+label] -= 0.5
		}
		got := CrossEntropy(x, labels, s.n, s.c)
		if math.Abs(got-want) > 1e-6*(1+want) {
			t.Errorf("%v: got %v, want %v", s, got, want)
		}
		out := dirty(len(x))
		CrossEntropyGrad(out, x, labels, s.n, s.c, 0.5)
		compare(t, "gradient", out, grad, 1e-6)
		sameBits(t, "CrossEntropy", func() []float32 {
			loss := CrossEntropy(x, labels, s.n, s.c)
			rest := loss - float64(float32(loss)) // the low bits
			return []float32{float32(loss), float32(rest)}
		})
	}
}

func TestSquaredErrorInChunks(t *testing.T) {
	a, b := noise(1, 100*chunk+5), noise(2, 100*chunk+5)
	want := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		want += d * d
	}
	if got := SquaredError(a, b); math.Abs(got-want) > 1e-12*want {
		t.Errorf("got %v, want %v", got, want)
	}
}
