package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRank(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 1e-40, -1e-40,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), -float32(math.NaN())}
	limits := []uint32{0, 1, 5, 1 << 22, math.Float32bits(0.5), math.Float32bits(1), math.Float32bits(1) + 1, posInf, posInf + 1, 1<<31 - 1}
	eachISA(t, func(t *testing.T) {
		for _, n := range slices.Concat(lengths, []int{1000}) {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			x, check := guarded(t, n, n%3)
			keep := make([]bool, n)
			for i := range x {
				keep[i] = rng.IntN(3) > 0
				x[i] = float32(rng.NormFloat64())
				if rng.IntN(3) == 0 {
					x[i] = special[rng.IntN(len(special))]
				}
			}
			size := func(i int) uint32 { return math.Float32bits(x[i]) &^ negZero }
			for _, limit := range limits {
				what := fmt.Sprintf("%d elements, limit %#x", n, limit)
				below := 0
				var between []uint32
				for i := range x {
					if !keep[i] || size(i) < limit {
						below++
					}
					if keep[i] && size(i) >= limit && size(i)-limit < 1<<23 {
						between = append(between, size(i))
					}
				}
				if got := CountBelow(x, keep, limit); got != below {
					t.Fatalf("%s: got %d below, want %d", what, got, below)
				}
				out := make([]uint32, n+1)
				out[n] = canary
				picked := PickBetween(out[:n], x, keep, limit, 1<<23)
				if !slices.Equal(out[:picked], between) {
					t.Fatalf("%s: got %v between, want %v", what, out[:picked], between)
				}
				if out[n] != canary {
					t.Fatalf("%s: wrote beyond the end", what)
				}
			}
			if got, want := CountFalse(keep), CountBelow(x, keep, 0); got != want {
				t.Fatalf("%d flags: got %d not set, want %d", n, got, want)
			}
			for _, limit := range limits {
				want := slices.Clone(x)
				flags := slices.Clone(keep)
				for i := range want {
					if flags[i] = keep[i] && size(i) >= limit; !flags[i] {
						want[i] = 0
					}
				}
				DropBelow(x, keep, limit)
				check(fmt.Sprint(n))
				for i := range want {
					if math.Float32bits(x[i]) != math.Float32bits(want[i]) || keep[i] != flags[i] {
						t.Fatalf("%d elements, limit %#x: element %d: got %v kept %t, want %v kept %t", n, limit, i, x[i], keep[i], want[i], flags[i])
					}
				}
			}
		}
	})
}
