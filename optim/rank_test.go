package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzRank compares the counting selection with a sort.
func FuzzRank(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint16(50), uint8(8))
	f.Add(uint64(2), uint16(1), uint16(1), uint8(32))
	f.Add(uint64(3), uint16(3000), uint16(2999), uint8(2))
	f.Add(uint64(43), uint16(254), uint16(72), uint8(1)) // as many as are pruned already, beside a zero
	f.Fuzz(func(t *testing.T, seed uint64, n, k uint16, bits uint8) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := one(make([]float32, n), nil)
		for i := range p.Value {
			// Few random bits, spread over the word, make many ties.
			p.Value[i] = math.Float32frombits(r.Uint32() & (0x81818181 | (1<<(bits%32) - 1)))
			if r.IntN(4) == 0 {
				p.needMask()
				p.Mask[i], p.Value[i] = false, 0
			}
		}
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		key := func(i int) float64 {
			w := math.Abs(float64(p.Value[i]))
			switch {
			case !p.kept(i):
				return -1
			case math.IsNaN(w): // NaNs have their order too, by their bits
				return math.MaxFloat64 * 0x1p-60 * float64(math.Float32bits(p.Value[i])&^signBit)
			case math.IsInf(w, 1):
				return math.MaxFloat32 * 2
			}
			return w
		}
		slices.SortStableFunc(order, func(i, j int) int {
			switch a, b := key(i), key(j); {
			case a < b:
				return -1
			case a > b:
				return 1
			}
			return 0
		})
		want := int(k) % (int(n) + 1)
		if want < p.Pruned() {
			return
		}
		pruned := make([]bool, n)
		for _, i := range order[:want] {
			pruned[i] = true
		}
		p.pruneSmallest(want)
		for i := range pruned {
			if p.kept(i) == pruned[i] {
				t.Fatalf("weight %d: got kept %t, want %t", i, p.kept(i), !pruned[i])
			}
		}
	})
}

// BenchmarkPrune prunes half of ten million weights: in one layer, and in fifty
// that are ranked together.
func BenchmarkPrune(b *testing.B) {
	const n = 10_000_000
	r := rand.New(rand.NewPCG(1, 2))
	for _, layers := range []int{1, 50} {
		params := make([]*Param, layers)
		values := make([][]float32, layers)
		for i := range params {
			params[i] = one(make([]float32, n/layers), nil)
			values[i] = make([]float32, n/layers)
			for j := range values[i] {
				values[i][j] = float32(r.NormFloat64())
			}
		}
		b.Run(fmt.Sprintf("layers=%d", layers), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				for i, p := range params {
					copy(p.Value, values[i])
					p.Mask = nil
				}
				b.StartTimer()
				if layers == 1 {
					PruneMagnitude(params[0], 0.5)
				} else if err := PruneGlobal(params, 0.5, DefaultFloor); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/weight")
		})
	}
}
