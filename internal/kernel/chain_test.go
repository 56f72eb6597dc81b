package kernel

import (
	"fmt"
	"math"
	"testing"
)

// TestChain holds the links to the bits of the generic ones.
func TestChain(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-3, -1e-3, 1e-40, -1e-40,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), -float32(math.NaN())}
	links := map[string]func(*chainFuncs) pointFunc{
		"addScaled":      func(f *chainFuncs) pointFunc { return f.addScaled },
		"addSigns":       func(f *chainFuncs) pointFunc { return f.addSigns },
		"shrink":         func(f *chainFuncs) pointFunc { return f.shrink },
		"average":        func(f *chainFuncs) pointFunc { return f.average },
		"averageSquares": func(f *chainFuncs) pointFunc { return f.averageSquares },
		"normalized":     func(f *chainFuncs) pointFunc { return f.normalized },
	}
	eachISA(t, func(t *testing.T) {
		for name, pick := range links {
			for _, n := range lengths {
				what := fmt.Sprintf("%s of %d elements", name, n)
				x, y := noise(1, n), noise(2, n)
				for i := range x {
					if i%3 == 1 {
						x[i], y[i] = special[i%len(special)], special[i/7%len(special)]
					}
					if name == "normalized" && y[i] < 0 {
						y[i] = -y[i]
					}
				}
				want := dirty(n)
				pick(&chainGeneric)(want, x, y, 1e-3, 0.9)
				got, check := guarded(t, n, n%5)
				copy(got, x) // in place
				pick(&active.chain)(got, got, y, 1e-3, 0.9)
				check(what)
				for i := range want {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) && want[i] == want[i] || !same(got[i], want[i]) {
						t.Fatalf("%s: of %g and %g: got %g, want %g", what, x[i], y[i], got[i], want[i])
					}
				}
			}
		}
	})
}

func TestClearDropped(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range lengths {
			x, check := guarded(t, n, n%3) // full of NaN
			keep := make([]bool, n)
			for i := range keep {
				keep[i] = i%3 == 0 || i%7 == 2
			}
			ClearDropped(x, keep)
			check(fmt.Sprint(n))
			for i, v := range x {
				want := uint32(0)
				if keep[i] {
					want = canary
				}
				if got := math.Float32bits(v); got != want {
					t.Fatalf("%d elements: element %d: got %#x, want %#x", n, i, got, want)
				}
			}
		}
	})
}
