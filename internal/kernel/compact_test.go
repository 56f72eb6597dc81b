package kernel

import (
	"fmt"
	"testing"
)

// banded is rows by cols weights of size elements each, of which every third row
// and, if cols says so, every second column is zero.
func banded(seed uint64, rows, cols, size int, both bool) (w []float32, z *Pruned) {
	w = noise(seed, rows*cols*size)
	keep := make([]bool, len(w))
	for i := range w {
		r, c := i/(cols*size), i/size%cols
		if keep[i] = r%3 > 0 && !(both && c%2 == 0) && i%7 > 0; !keep[i] {
			w[i] = 0
		}
	}
	z = new(Pruned)
	z.Set(keep)
	return w, z
}

func TestCompactProduct(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const m, n, k = 33, 40, 50
		for parts := range 8 {
			trans, both := parts&1 > 0, parts&2 > 0
			rows, cols, ldb := k, n, n
			if trans {
				rows, cols, ldb = n, k, k
			}
			a := noise(1, m*k)
			b, z := banded(2, rows, cols, 1, both)
			var then Epilogue
			if parts&4 > 0 {
				then = Epilogue{Row: noise(3, m), Col: noise(4, n), Add: noise(5, m*n), Clamp: true, Lo: -1, Hi: 2, Gate: zeroSome(noise(6, m*n))}
			}
			want, got := dirty(m*n), dirty(m*n)
			GemmThen(false, trans, m, n, k, 1, a, k, b, ldb, 0, want, n, then)
			p := NewCompactProduct(m, n, k, trans)
			if cost := p.Cost(z); !(cost < 1.1) {
				t.Errorf("got a cost of %v with a third of the rows zero", cost)
			}
			p.Run(a, b, got, z, then)
			compare(t, fmt.Sprintf("transposed %t, columns %t, %d", trans, both, parts), got, doubles(want), tolerance(k))
		}
	})
}

func TestCompactGradient(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const m, n, k = 40, 50, 33
		a, b := noise(1, m*k), noise(2, n*k)
		for _, both := range []bool{false, true} {
			_, z := banded(3, m, n, 1, both)
			want, got := dirty(m*n), dirty(m*n)
			Gemm(true, false, m, n, k, 1, a, m, b, n, 0, want, n)
			z.Clear(want)
			NewCompactGradient(m, n, k).Run(a, b, got, z)
			compare(t, fmt.Sprintf("columns %t", both), got, doubles(want), tolerance(k))
		}
	})
}

func TestCompactConv(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, c := range convCases() {
			if c.Groups > 1 || c.M < 4 || c.C < 2 {
				continue
			}
			x, _, b, dy := operands(c)
			add := noise(6, len(dy))
			for _, both := range []bool{false, true} {
				w, z := banded(5, c.M, c.C, c.taps(), both)
				what := fmt.Sprintf("%s, inputs %t", name(c), both)
				y, dx, dw := dirty(len(dy)), dirty(len(x)), dirty(len(w))
				then, thenX := Epilogue{Row: b, Add: add, Clamp: true, Lo: -1, Hi: 3}, Epilogue{Gate: zeroSome(noise(7, len(x)))}
				c.Forward(x, w, y, then)
				c.BackwardData(dy, w, dx, thenX)
				c.BackwardWeights(x, dy, dw, dirty(c.Scratch()))
				z.Clear(dw)
				v := NewCompactConv(c)
				if cost := v.Cost(z); !(cost < 1) {
					t.Errorf("%s: got a cost of %v", what, cost)
				}
				gotY, gotX, gotW := dirty(len(dy)), dirty(len(x)), dirty(len(w))
				v.Forward(x, w, gotY, then)
				v.BackwardData(dy, w, gotX, thenX)
				v.BackwardWeights(x, dy, gotW, z)
				compare(t, what+": forward", gotY, doubles(y), tolerance(c.weights()))
				compare(t, what+": gradient of the input", gotX, doubles(dx), tolerance(c.M*c.taps()))
				compare(t, what+": gradient of the weights", gotW, doubles(dw), tolerance(c.N*c.outputs()))
			}
		}
	})
}

// BenchmarkCompact compares products and convolutions of which half of the rows
// and columns, or channels, are zero with dense ones, on one thread:
//
//	go test ./internal/kernel -run - -bench Compact
func BenchmarkCompact(b *testing.B) {
	defer SetThreads(Threads())
	SetThreads(1)
	const m, n, k = 256, 1024, 1024
	for _, left := range []int{4, 7, 8} { // of ten rows and columns
		half := func(rows, cols, size int) ([]float32, *Pruned) {
			w := noise(1, rows*cols*size)
			keep := make([]bool, len(w))
			for i := range w {
				keep[i] = i/(cols*size)*7%10 < left && i/size%cols*7%10 < left
			}
			z := new(Pruned)
			z.Set(keep)
			z.Clear(w)
			return w, z
		}
		run := func(what string, compact, dense func()) {
			b.Run(fmt.Sprintf("%s/%d0", what, left), func(b *testing.B) { benchRatio(b, compact, dense) })
		}
		a, g, y, dw := noise(1, m*k), noise(2, m*n), make([]float32, m*n), make([]float32, n*k)
		w, z := half(n, k, 1)
		p, q := NewCompactProduct(m, n, k, true), NewCompactGradient(n, k, m)
		run("product", func() { p.Run(a, w, y, z, Epilogue{}) }, func() { Gemm(false, true, m, n, k, 1, a, k, w, k, 0, y, n) })
		run("gradient", func() { q.Run(g, a, dw, z) }, func() { Gemm(true, false, n, k, m, 1, g, n, a, k, 0, dw, k) })
		for _, kernel := range []int{1, 3} {
			c := NewConv(8, 128, 128, 1, square(28, kernel, 1, kernel/2))
			x, _, _, dy := operands(c)
			w, z := half(128, 128, kernel*kernel)
			y, dx, dw, scratch := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w)), make([]float32, c.Scratch())
			v := NewCompactConv(c)
			v.Cost(z)
			run(fmt.Sprint("conv", kernel, "/forward"), func() { v.Forward(x, w, y, Epilogue{}) }, func() { c.Forward(x, w, y, Epilogue{}) })
			run(fmt.Sprint("conv", kernel, "/data"), func() { v.BackwardData(dy, w, dx, Epilogue{}) }, func() { c.BackwardData(dy, w, dx, Epilogue{}) })
			run(fmt.Sprint("conv", kernel, "/weights"), func() { v.BackwardWeights(x, dy, dw, z) }, func() { c.BackwardWeights(x, dy, dw, scratch) })
		}
	}
}
