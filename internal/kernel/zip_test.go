package kernel

import (
	"slices"
	"testing"
)

// repeated is the element of an array of the given shape that numpy pairs with
// element i of out.
func repeated(out, shape []int, i int) int {
	at, step := 0, 1
	for k := len(out) - 1; k >= 0; k-- {
		p := i % out[k]
		i /= out[k]
		if d := k - len(out) + len(shape); d >= 0 {
			if shape[d] != 1 {
				at += p * step
			}
			step *= shape[d]
		}
	}
	return at
}

func count(shape []int) []float32 {
	x := make([]float32, product(shape))
	for i := range x {
		x[i] = float32(i)
	}
	return x
}

func TestZipPairsByBroadcasting(t *testing.T) {
	for _, c := range []struct{ out, a, b []int }{
		{nil, nil, nil},
		{[]int{7}, []int{7}, []int{1}},
		{[]int{3, 300}, []int{300}, []int{3, 1}},
		{[]int{2, 3, 5}, []int{2, 1, 5}, []int{3, 1}},
		{[]int{4, 70, 80}, []int{4, 70, 80}, []int{70, 1}},
		{[]int{4, 0, 3}, []int{4, 1, 3}, []int{0, 1}},
	} {
		a, b := count(c.a), count(c.b)
		out := make([]float32, product(c.out))
		z := NewZip(c.out, c.a, c.b, func(out, a, b []float32) {
			for i := range out {
				out[i] = a[i] - 3*b[i]
			}
		})
		z.Do(out, a, b)
		for i, got := range out {
			if want := a[repeated(c.out, c.a, i)] - 3*b[repeated(c.out, c.b, i)]; got != want {
				t.Fatalf("%v and %v: element %d: got %v, want %v", c.a, c.b, i, got, want)
			}
		}
	}
}

func TestChoicePairsByBroadcasting(t *testing.T) {
	shape := []int{3, 40, 500}
	c := make([]int64, 3*500)
	for i := range c {
		c[i] = int64(i % 3)
	}
	a, b := count([]int{40, 1}), count(shape)
	out := slices.Clone(b)
	pick := NewChoice[float32](shape, []int{3, 1, 500}, []int{40, 1}, shape)
	pick.Do(out, c, a, out)
	for i, got := range out {
		want := b[i]
		if c[repeated(shape, []int{3, 1, 500}, i)] != 0 {
			want = a[repeated(shape, []int{40, 1}, i)]
		}
		if got != want {
			t.Fatalf("element %d: got %v, want %v", i, got, want)
		}
	}
}

func TestZipAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	z := NewZip([]int{100, 500}, []int{100, 500}, []int{500}, Max[float32])
	a, b := make([]float32, 50000), make([]float32, 500)
	z.Do(a, a, b)
	if n := testing.AllocsPerRun(20, func() { z.Do(a, a, b) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
