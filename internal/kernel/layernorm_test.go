package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestLayerNorm(t *testing.T) {
	const eps = 1e-3
	eachISA(t, func(t *testing.T) {
		for _, n := range slices.Concat(lengths[1:], []int{768, 1000}) {
			for _, rows := range []int{0, 1, 3, 70} {
				what := fmt.Sprintf("%d rows of %d: ", rows, n)
				x, dy, scale, shift := noise(1, rows*n), noise(2, rows*n), noise(3, n), noise(4, n)
				for i := range x {
					x[i] += 10 // cancellation would show
				}
				y, bare, dx := make([]float64, rows*n), make([]float64, rows*n), make([]float64, rows*n)
				dscale, dshift := make([]float64, n), make([]float64, n)
				for r := range rows {
					x, dy := x[r*n:(r+1)*n], dy[r*n:(r+1)*n]
					var mean, variance, sum, product float64
					for _, v := range x {
						mean += float64(v) / float64(n)
					}
					for _, v := range x {
						variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
					}
					inv := 1 / math.Sqrt(variance+eps)
					for i, v := range x {
						xhat := (float64(v) - mean) * inv
						g := float64(dy[i]) * float64(scale[i])
						bare[r*n+i] = xhat * float64(scale[i])
						y[r*n+i] = bare[r*n+i] + float64(shift[i])
						dscale[i] += float64(dy[i]) * xhat
						dshift[i] += float64(dy[i])
						sum += g / float64(n)
						product += g * xhat / float64(n)
					}
					for i, v := range x {
						xhat := (float64(v) - mean) * inv
						dx[r*n+i] = inv * (float64(dy[i])*float64(scale[i]) - sum - xhat*product)
					}
				}
				got, check := guarded(t, rows*n, 1)
				LayerNorm(got, x, scale, shift, eps)
				check(what + "result")
				compare(t, what+"result", got, y, 2e-5)
				copy(got, x) // in place
				LayerNorm(got, got, scale, nil, eps)
				compare(t, what+"result without shift", got, bare, 2e-5)
				copy(got, dy)
				a, checkA := guarded(t, n, 1)
				b, checkB := guarded(t, n, 2)
				LayerNormBackward(got, a, b, x, got, scale, eps) // in place
				check(what + "gradient of the input")
				checkA(what + "gradient of the scale")
				checkB(what + "gradient of the shift")
				compare(t, what+"gradient of the input", got, dx, 5e-5)
				compare(t, what+"gradient of the scale", a, dscale, 5e-5)
				compare(t, what+"gradient of the shift", b, dshift, 1e-5)
			}
		}
	})
}

func TestLayerNormThreads(t *testing.T) {
	const n = 100
	x, dy := noise(1, 2000*n), noise(2, 2000*n)
	sameBits(t, "gradients", func() []float32 {
		out := dirty(2*n + len(x))
		LayerNormBackward(out[2*n:], out[:n], out[n:2*n], x, dy, x[:n], 1e-5)
		return out
	})
}

// BenchmarkLayerNorm has the rows of a transformer: 8 sequences of 128 tokens.
func BenchmarkLayerNorm(b *testing.B) {
	for _, n := range []int{256, 768} {
		const rows = 1024
		x, dy, out, scale, shift := noise(1, rows*n), noise(2, rows*n), make([]float32, rows*n), noise(3, n), noise(4, n)
		dscale, dshift := make([]float32, n), make([]float32, n)
		for name, f := range map[string]func(){
			"forward":  func() { LayerNorm(out, x, scale, shift, 1e-5) },
			"backward": func() { LayerNormBackward(out, dscale, dshift, x, dy, scale, 1e-5) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				benchISA(b, func(b *testing.B) {
					b.SetBytes(int64(8 * len(x)))
					for b.Loop() {
						f()
					}
				})
			})
		}
	}
}
