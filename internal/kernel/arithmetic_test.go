package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestCombine(t *testing.T) { eachISA(t, testCombine) }

func testCombine(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	ops := []func(a, b float32) float32{
		Add: func(a, b float32) float32 { return a + b },
		Sub: func(a, b float32) float32 { return a - b },
		Mul: func(a, b float32) float32 { return a * b },
		Div: func(a, b float32) float32 { return a / b },
	}
	for range 200 {
		shape := make([]int, rng.IntN(4)+1)
		a, b := make([]int, len(shape)), make([]int, len(shape))
		for k := range shape {
			shape[k] = 1 + rng.IntN([]int{2, 6, 60}[rng.IntN(3)])
			a[k], b[k] = shape[k], shape[k]
			switch rng.IntN(4) {
			case 0:
				a[k] = 1
			case 1:
				b[k] = 1
			}
		}
		x, y := noise(1, product(a)), noise(2, product(b))
		out, check := guarded(t, product(shape), rng.IntN(16))
		w := NewBroadcast(shape, a, b)
		index := func(of []int) []int {
			at := make([]int, len(out))
			strides := Strides(of)
			for k, d := range of {
				if d == 1 {
					strides[k] = 0
				}
			}
			walk(shape, strides, 0, func(i, p int) { at[i] = p })
			return at
		}
		ia, ib := index(a), index(b)
		for op, f := range ops {
			Combine(Arithmetic(op), out, x, y, &w)
			check(fmt.Sprintf("%v and %v", a, b))
			for i := range out {
				if want := f(x[ia[i]], y[ib[i]]); out[i] != want {
					t.Fatalf("%v and %v, operation %d, element %d: got %v, want %v", a, b, op, i, out[i], want)
				}
			}
		}
	}
}

func BenchmarkCombine(b *testing.B) {
	out, x := make([]float32, 64*256*14*14), noise(1, 64*256*14*14)
	for _, c := range []struct {
		name     string
		shape, b []int
	}{
		{"same", []int{len(x)}, []int{len(x)}},
		{"scalar", []int{len(x)}, nil},
		{"row", []int{len(x) / 256, 256}, []int{256}},
		{"short row", []int{len(x) / 16, 16}, []int{16}},
		{"channel", []int{64, 256, 14, 14}, []int{256, 1, 1}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := NewBroadcast(c.shape, c.shape, c.b)
			y := noise(2, product(c.b))
			benchISA(b, func(b *testing.B) {
				b.SetBytes(int64(8 * len(x)))
				for b.Loop() {
					Combine(Add, out, x, y, &w)
				}
			})
		})
	}
}
