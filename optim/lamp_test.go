package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLAMPScores holds scores against sums by hand: 1, 2, 2, 4 have the squares
// 1, 4, 4, 16, and what is pruned counts for nothing.
func TestLAMPScores(t *testing.T) {
	p := weight("Gemm", false, 1, 6)
	copy(p.Value, []float32{2, -4, 0, 1, -2, 100})
	p.Mask = []bool{true, true, true, true, true, false}
	want := []float64{2 / math.Sqrt(24), 1, 0, 1 / math.Sqrt(25), 2 / math.Sqrt(20), 0}
	for i, got := range lampScores(p) {
		if math.Abs(float64(got)-want[i]) > 1e-7 {
			t.Errorf("weight %d: got %g, want %g", i, got, want[i])
		}
	}
}

// TestLAMPForgetsScale prunes two layers together, one of them scaled: as many go
// of each as without the scale, where magnitude takes all from the smaller.
func TestLAMPForgetsScale(t *testing.T) {
	zeros := func(score Score, scale float32) string {
		a, b := weight("Gemm", false, 20, 30), weight("Gemm", false, 10, 40)
		for i := range b.Value {
			b.Value[i] *= scale
		}
		prunedOnce(t, Pruning{Score: score, Sparsity: Set(0.6), Global: true}, a, b)
		return fmt.Sprint(a.Zeros(), b.Zeros())
	}
	if got, want := zeros(LAMP, 1e-3), zeros(LAMP, 1); got != want {
		t.Errorf("got zeros %s of scaled layers, want %s", got, want)
	}
	if got, same := zeros(Magnitude, 1e-3), zeros(Magnitude, 1); got == same {
		t.Errorf("got zeros %s by magnitude, scaled or not, so the test shows nothing", got)
	}
}

// TestBySize holds the sort against that of the standard library. Positions rise
// with the index, as they do in a parameter, so that sizes may be equal.
func TestBySize(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		list := make([]uint64, n)
		for i := range list {
			list[i] = uint64(rand.Uint32()>>(i%30))<<32 | uint64(i)
		}
		want := slices.Sorted(slices.Values(list))
		if got := bySize(list); !slices.Equal(got, want) {
			t.Errorf("%d numbers: got another order than that of slices.Sorted", n)
		}
	}
}
