package kernel

import (
	"fmt"
	"math"
	"testing"
)

// naiveAttention is attention and its gradients by definition, in float64, for one
// head whose matrices are stored without gaps.
func naiveAttention(rows, cols, size, valueSize int, scale float64, q, k, v, mask, dy []float32) (y, dq, dk, dv []float64) {
	y, dq = make([]float64, rows*valueSize), make([]float64, rows*size)
	dk, dv = make([]float64, cols*size), make([]float64, cols*valueSize)
	for i := range rows {
		p, dp := make([]float64, cols), make([]float64, cols)
		total, mean := 0.0, 0.0
		for j := range cols {
			for d := range size {
				p[j] += scale * float64(q[i*size+d]) * float64(k[j*size+d])
			}
			p[j] = math.Exp(p[j] + float64(mask[i*cols+j]))
			total += p[j]
		}
		for j := range cols {
			p[j] /= total
			for d := range valueSize {
				y[i*valueSize+d] += p[j] * float64(v[j*valueSize+d])
				dv[j*valueSize+d] += p[j] * float64(dy[i*valueSize+d])
				dp[j] += float64(v[j*valueSize+d]) * float64(dy[i*valueSize+d])
			}
			mean += p[j] * dp[j]
		}
		for j := range cols {
			ds := p[j] * (dp[j] - mean) * scale
			for d := range size {
				dq[i*size+d] += ds * float64(k[j*size+d])
				dk[j*size+d] += ds * float64(q[i*size+d])
			}
		}
	}
	return y, dq, dk, dv
}

// Two heads that lie side by side, with and without a mask, in one block and in
// several.
func TestAttention(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, s := range [][4]int{{1, 1, 1, 1}, {5, 7, 3, 4}, {40, 33, 8, 16}, {130, 20, 5, 3}, {20, 300, 4, 9}, {129, 257, 16, 2}} {
			for _, masked := range []bool{false, true} {
				testAttention(t, s[0], s[1], s[2], s[3], masked)
			}
		}
	})
}

func testAttention(t *testing.T, rows, cols, size, valueSize int, masked bool) {
	const heads = 2
	side := func(size int) Heads { return Heads{At: []int{0, size}, Stride: heads * size} }
	a := Attention{
		Rows: rows, Cols: cols, Size: size, ValueSize: valueSize, Scale: 0.7,
		Q: side(size), K: side(size), V: side(valueSize), Y: side(valueSize),
		Mask: Heads{At: []int{0, 0}, Stride: cols},
	}
	args := AttentionArgs{
		Q: noise(1, heads*rows*size), K: noise(2, heads*cols*size), V: noise(3, heads*cols*valueSize),
		DY: noise(4, heads*rows*valueSize), Logs: make([]float32, heads*rows),
	}
	mask := make([]float32, rows*cols)
	if masked {
		mask = noise(5, rows*cols)
		for i := range mask {
			if i%cols > i/cols+cols/2 {
				mask[i] = float32(math.Inf(-1))
			}
		}
		args.Mask = mask
	}
	what := fmt.Sprintf("%d by %d, sizes %d and %d, masked %t", rows, cols, size, valueSize, masked)
	fresh := func(n int) ([]float32, func(string)) { return guarded(t, n, n%3) }
	var checks [4]func(string)
	args.Y, checks[0] = fresh(heads * rows * valueSize)
	args.DQ, checks[1] = fresh(heads * rows * size)
	args.DK, checks[2] = fresh(heads * cols * size)
	args.DV, checks[3] = fresh(heads * cols * valueSize)
	a.Forward(args)
	a.Backward(args)
	for _, check := range checks {
		check(what)
	}
	one := func(x []float32, head, size int) []float32 {
		var own []float32
		for i := head * size; i < len(x); i += heads * size {
			own = append(own, x[i:i+size]...)
		}
		return own
	}
	for h := range heads {
		y, dq, dk, dv := naiveAttention(rows, cols, size, valueSize, float64(a.Scale),
			one(args.Q, h, size), one(args.K, h, size), one(args.V, h, valueSize), mask, one(args.DY, h, valueSize))
		compare(t, what, one(args.Y, h, valueSize), y, 1e-5)
		compare(t, what+": gradient of Q", one(args.DQ, h, size), dq, 1e-5)
		compare(t, what+": gradient of K", one(args.DK, h, size), dk, 1e-5)
		compare(t, what+": gradient of V", one(args.DV, h, valueSize), dv, 1e-5)
	}
	sameBits(t, what, func() []float32 {
		args := args
		args.Y, args.DQ, args.DK, args.DV = dirty(len(args.Y)), dirty(len(args.DQ)), dirty(len(args.DK)), dirty(len(args.DV))
		a.Forward(args)
		a.Backward(args)
		return append(append(append(args.Y, args.DQ...), args.DK...), args.DV...)
	})
}

// Scores that are far from 0, and rows that see nothing in the first block.
func TestAttentionExtremes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const cols = attentionCols + 3
		whole := Heads{At: []int{0}, Stride: 1}
		a := Attention{Rows: 1, Cols: cols, Size: 1, ValueSize: 1, Scale: 1, Q: whole, K: whole, V: whole, Y: whole, Mask: whole}
		for what, c := range map[string]struct{ first, last, want float32 }{
			"far up at the end":       {0, 1e4, 3},
			"far down at the end":     {0, -1e4, 1},
			"only the end":            {float32(math.Inf(-1)), 0, 3},
			"only the beginning":      {0, float32(math.Inf(-1)), 1},
			"nothing":                 {float32(math.Inf(-1)), float32(math.Inf(-1)), float32(math.NaN())},
			"not a number at the end": {0, float32(math.NaN()), float32(math.NaN())},
		} {
			args := AttentionArgs{
				Q: make([]float32, 1), K: make([]float32, cols), V: make([]float32, cols), Mask: make([]float32, cols),
				Y: make([]float32, 1), Logs: make([]float32, 1),
			}
			fill(args.Mask, c.first)
			fill(args.V, 1)
			for j := attentionCols; j < cols; j++ {
				args.Mask[j], args.V[j] = c.last, 3
			}
			a.Forward(args)
			if got := args.Y[0]; !same(got, c.want) && !(math.Abs(float64(got-c.want)) < 1e-5) {
				t.Errorf("%s: got %v, want %v", what, got, c.want)
			}
		}
	})
}

// BenchmarkAttention is 4 heads of 64 of 8 texts, as in a Transformer of width 256.
func BenchmarkAttention(b *testing.B) {
	const texts, heads, size = 8, 4, 64
	benchISA(b, func(b *testing.B) {
		for _, n := range []int{16, 64, 128, 512} {
			h := Heads{Stride: heads * size}
			for i := range texts * heads {
				h.At = append(h.At, i/heads*n*heads*size+i%heads*size)
			}
			a := Attention{Rows: n, Cols: n, Size: size, ValueSize: size, Scale: 0.125, Q: h, K: h, V: h, Y: h}
			all := texts * n * heads * size
			args := AttentionArgs{
				Q: noise(1, all), K: noise(2, all), V: noise(3, all), DY: noise(4, all), Y: make([]float32, all),
				Logs: make([]float32, texts*heads*n), DQ: make([]float32, all), DK: make([]float32, all), DV: make([]float32, all),
			}
			SetThreads(1)
			operations := 4 * texts * heads * n * n * size
			b.Run(fmt.Sprintf("%d/forward", n), func(b *testing.B) { benchShare(b, operations, 1, func() { a.Forward(args) }) })
			b.Run(fmt.Sprintf("%d/backward", n), func(b *testing.B) { benchShare(b, 5*operations/2, 1, func() { a.Backward(args) }) })
			SetThreads(0)
		}
	})
}
