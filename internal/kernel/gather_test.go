package kernel

import (
	"math/rand/v2"
	"testing"
)

func TestGatherAndScatterAdd(t *testing.T) { eachISA(t, testGatherAndScatterAdd) }

func testGatherAndScatterAdd(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, s := range []struct{ outer, n, inner, k int }{
		{1, 1, 1, 1}, {1, 3000, 40, 500}, {7, 50, 100, 60}, {3, 4000, 9, 3}, {2, 5, 1, 30000}, {2, 5, 3, 0}, {1, 5, 0, 2},
	} {
		x, g := noise(1, s.outer*s.n*s.inner), noise(2, s.outer*s.k*s.inner)
		indices := make([]int64, s.k)
		for i := range indices {
			indices[i] = int64(rng.IntN(2*s.n) - s.n)
		}
		picked, table := make([]float64, len(g)), make([]float64, len(x))
		for o := range s.outer {
			for i, index := range indices {
				row := o*s.n + (int(index)+s.n)%s.n
				for j := range s.inner {
					picked[(o*s.k+i)*s.inner+j] = float64(x[row*s.inner+j])
					table[row*s.inner+j] += float64(g[(o*s.k+i)*s.inner+j])
				}
			}
		}
		got := dirty(len(g))
		Gather(got, x, indices, s.outer, s.n, s.inner)
		compare(t, "Gather", got, picked, 0)
		got = dirty(len(x))
		ScatterAdd(got, g, indices, s.outer, s.n, s.inner)
		compare(t, "ScatterAdd", got, table, 1e-4)
		sameBits(t, "ScatterAdd", func() []float32 {
			out := dirty(len(x))
			ScatterAdd(out, g, indices, s.outer, s.n, s.inner)
			return out
		})
	}
}

func TestOutOfRange(t *testing.T) {
	for _, c := range []struct {
		indices []int64
		want    int
	}{{nil, -1}, {[]int64{-2, 0, 2}, -1}, {[]int64{0, 3, 9}, 1}, {[]int64{0, 1, -3}, 2}} {
		if got := OutOfRange(c.indices, -2, 3); got != c.want {
			t.Errorf("%v in [-2, 3): got %d, want %d", c.indices, got, c.want)
		}
	}
}
