package kernel

import (
	"math"
	"slices"
	"testing"
)

func TestDropoutDrawsEachElementOnItsOwn(t *testing.T) {
	const n = 4 * chunk
	x := slices.Repeat([]float32{1}, n)
	out := dirty(n)
	Dropout(out, x, 0.5, 1, 2)
	// Neither chunks nor neighbours may repeat one another: two unrelated masks
	// agree on half the elements.
	for _, lag := range []int{1, 2, 64, chunk, 2 * chunk} {
		same := 0
		for i := lag; i < n; i++ {
			if out[i] == out[i-lag] {
				same++
			}
		}
		m := float64(n - lag)
		if off := math.Abs(float64(same)-m/2) / math.Sqrt(m/4); off > 4.5 {
			t.Errorf("lag %d: got %d of %v draws alike, %.1f standard deviations off", lag, same, m, off)
		}
	}
	short := dirty(chunk + 5)
	Dropout(short, x[:len(short)], 0.5, 1, 2)
	if !slices.Equal(short, out[:len(short)]) {
		t.Error("a shorter array: got another mask")
	}
}

func TestDropoutStepsAndSeedsDiffer(t *testing.T) {
	x := slices.Repeat([]float32{1}, 64)
	seen := map[uint64][2]uint64{}
	for seed := range uint64(40) {
		for step := range uint64(40) {
			out := dirty(64)
			Dropout(out, x, 0.5, seed, step)
			var mask uint64
			for i, v := range out {
				if v != 0 {
					mask |= 1 << i
				}
			}
			if other, ok := seen[mask]; ok {
				t.Fatalf("seed %d, step %d: got the mask of %v", seed, step, other)
			}
			seen[mask] = [2]uint64{seed, step}
		}
	}
}
