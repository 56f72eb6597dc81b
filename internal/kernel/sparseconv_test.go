package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// TestSparseConv holds convolutions to those of Conv with the same weights.
func TestSparseConv(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, c := range convCases() {
			v := NewSparseConv(c)
			if v.forward == nil {
				continue
			}
			x, _, b, dy := operands(c)
			add, gate := noise(6, len(dy)), zeroSome(noise(7, len(dy)))
			for _, share := range []float64{0, 0.1, 1} {
				w, z := emptied(5, c.M*c.weights(), share)
				what := fmt.Sprintf("%s, %v of the weights", name(c), share)
				y, dx, dw := dirty(len(dy)), dirty(len(x)), dirty(len(w))
				then := Epilogue{Row: b, Add: add, Gate: gate, Clamp: true, Lo: -1, Hi: 3}
				c.Forward(x, w, y, then)
				c.BackwardData(dy, w, dx, Epilogue{})
				c.BackwardWeights(x, dy, dw, dirty(c.Scratch()))
				z.Clear(dw)
				gotY, gotX, gotW := dirty(len(dy)), dirty(len(x)), dirty(len(w))
				v.Forward(x, w, gotY, z, then)
				v.BackwardData(dy, w, gotX, z, Epilogue{})
				v.BackwardWeights(x, dy, gotW, z)
				compare(t, what+": forward", gotY, doubles(y), tolerance(c.weights()))
				compare(t, what+": gradient of the input", gotX, doubles(dx), tolerance(c.M/c.Groups*c.taps()))
				compare(t, what+": gradient of the weights", gotW, doubles(dw), tolerance(c.N*c.outputs()))
			}
		}
	})
}

// TestSparseThreads finds the same bits for any number of threads.
func TestSparseThreads(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const m, n, k = 150, 140, 90
		a, g := noise(1, m*k), noise(2, m*n)
		w, z := emptied(3, n*k, 0.2)
		sameBits(t, "products", func() []float32 {
			y, dw := dirty(m*n), dirty(n*k)
			NewSparseProduct(m, n, k, true).Run(a, w, y, z, Epilogue{})
			NewSparseGradient(n, k, m).Run(g, a, dw, z)
			return slices.Concat(y, dw)
		})
		c := NewConv(3, 20, 40, 1, square(14, 3, 1, 1))
		v := NewSparseConv(c)
		if v.forward == nil {
			return
		}
		x, _, _, dy := operands(c)
		w, z = emptied(4, c.M*c.weights(), 0.2)
		sameBits(t, "convolutions", func() []float32 {
			y, dx, dw := dirty(len(dy)), dirty(len(x)), dirty(len(w))
			v.Forward(x, w, y, z, Epilogue{})
			v.BackwardData(dy, w, dx, z, Epilogue{})
			v.BackwardWeights(x, dy, dw, z)
			return slices.Concat(y, dx, dw)
		})
	})
}

// TestSparseAllocates nothing but at the first use.
func TestSparseAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("allocations cannot be counted under the race detector")
	}
	c := NewConv(3, 20, 40, 1, square(14, 3, 1, 1))
	v := NewSparseConv(c)
	if v.forward == nil {
		t.Skip("convolutions take plain loops")
	}
	x, _, _, dy := operands(c)
	w, z := emptied(4, c.M*c.weights(), 0.2)
	y, dx, dw := dirty(len(dy)), dirty(len(x)), dirty(len(w))
	p, g := NewSparseProduct(40, 40, 180, true), NewSparseGradient(40, 180, 40)
	if got := testing.AllocsPerRun(5, func() {
		v.Forward(x, w, y, z, Epilogue{})
		v.BackwardData(dy, w, dx, z, Epilogue{})
		v.BackwardWeights(x, dy, dw, z)
		p.Run(x, w, y, z, Epilogue{})
		g.Run(y, x, dw, z)
		z.Clear(dw)
	}); got > 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}

// BenchmarkSparseConv compares convolutions of which a share of the weights is
// not zero with dense ones, on one thread:
//
//	go test ./internal/kernel -run - -bench SparseConv/avx512/128@28
func BenchmarkSparseConv(b *testing.B) {
	defer SetThreads(Threads())
	SetThreads(1)
	benchISA(b, func(b *testing.B) {
		for _, l := range layers {
			c := NewConv(l.n, l.c, l.m, l.groups, square(l.size, l.kernel, l.stride, l.pad))
			v := NewSparseConv(c)
			if v.forward == nil {
				continue
			}
			x, _, _, dy := operands(c)
			y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, c.M*c.weights())
			scratch := make([]float32, c.Scratch())
			for _, zeros := range []int{0, 50, 70, 80, 90, 95, 98} {
				w, z := emptied(3, len(dw), 1-float64(zeros)/100)
				for _, pass := range []struct {
					name          string
					dense, sparse func()
				}{
					{"forward", func() { c.Forward(x, w, y, Epilogue{}) }, func() { v.Forward(x, w, y, z, Epilogue{}) }},
					{"data", func() { c.BackwardData(dy, w, dx, Epilogue{}) }, func() { v.BackwardData(dy, w, dx, z, Epilogue{}) }},
					{"weights", func() { c.BackwardWeights(x, dy, dw, scratch) }, func() { v.BackwardWeights(x, dy, dw, z) }},
				} {
					b.Run(fmt.Sprintf("%s/%s/%d", l.name, pass.name, zeros), func(b *testing.B) { benchRatio(b, pass.sparse, pass.dense) })
				}
			}
		}
	})
}
