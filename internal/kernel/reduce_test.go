package kernel

import (
	"math/rand/v2"
	"testing"
)

func TestSumOverAxes(t *testing.T) { eachISA(t, testSumOverAxes) }

func testSumOverAxes(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 300 {
		shape := make([]int, rng.IntN(5))
		over := make([]bool, len(shape))
		kept, strides := 1, make([]int, len(shape))
		for k := len(shape) - 1; k >= 0; k-- {
			shape[k] = 1 + rng.IntN([]int{2, 6, 40}[rng.IntN(3)])
			if over[k] = rng.IntN(2) == 0; !over[k] {
				strides[k] = kept
				kept *= shape[k]
			}
		}
		if rng.IntN(5) == 0 { // longer than a block of columns
			shape, over = append(shape, 700), append(over, false)
			for k := range strides {
				strides[k] *= 700
			}
			strides = append(strides, 1)
			kept *= 700
		}
		if product(shape) > 1<<16 {
			continue
		}
		x := noise(1, product(shape))
		ints, intSums := make([]int64, len(x)), make([]int64, kept)
		want := make([]float64, kept)
		walk(shape, strides, 0, func(i, at int) {
			ints[i] = int64(i)
			intSums[at] += int64(i)
			want[at] += float64(x[i]) / 3
		})
		r := NewReduction(shape, over)
		got := dirty(kept)
		Sum(got, x, &r, 3)
		compare(t, "floats", got, want, 1e-7)
		gotInts := make([]int64, kept)
		Sum(gotInts, ints, &r, 1)
		for i, w := range intSums {
			if gotInts[i] != w {
				t.Fatalf("%v over %v: got %d, want %d", shape, over, gotInts[i], w)
			}
		}
		sameBits(t, "Sum", func() []float32 {
			out := dirty(kept)
			Sum(out, x, &r, 1)
			return out
		})
	}
}

func TestSumOfNothing(t *testing.T) {
	r := NewReduction([]int{0, 3}, []bool{true, false})
	got := dirty(3)
	Sum(got, nil, &r, 1)
	for _, v := range got {
		if v != 0 {
			t.Errorf("got %v, want zeros", got)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	x := noise(1, 1<<18)
	for _, c := range []struct {
		name  string
		shape []int
		over  []bool
	}{
		{"all", []int{1 << 18}, []bool{true}},
		{"last", []int{1 << 10, 1 << 8}, []bool{false, true}},
		{"first", []int{1 << 10, 1 << 8}, []bool{true, false}},
		{"narrow", []int{1 << 14, 16}, []bool{true, false}},
	} {
		r := NewReduction(c.shape, c.over)
		out := make([]float32, r.out)
		b.Run(c.name, func(b *testing.B) {
			benchISA(b, func(b *testing.B) {
				b.SetBytes(int64(4 * len(x)))
				for b.Loop() {
					Sum(out, x, &r, 1)
				}
			})
		})
	}
}
