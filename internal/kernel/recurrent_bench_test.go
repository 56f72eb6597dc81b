package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkLSTM is the passes over 100 steps of 32 rows, 256 wide.
func BenchmarkLSTM(b *testing.B) {
	r := Recurrent{Kind: LSTM, Steps: 100, Batch: 32, Hidden: 256, F: SigmoidGate, G: TanhGate, H: TanhGate}
	n := r.Steps * r.Batch * r.Hidden
	a := RecurrentArgs{XW: noise(1, 4*n), R: noise(2, 4*r.Hidden*r.Hidden)}
	for i := range a.R {
		a.R[i] /= 16
	}
	mem, forward, backward := make([]float32, r.MemorySize()), make([]float32, r.ForwardScratch()), make([]float32, r.BackwardScratch())
	dxw, dy, dr := make([]float32, 4*n), noise(3, n), make([]float32, len(a.R))
	dh, dc := make([]float32, r.Batch*r.Hidden), make([]float32, r.Batch*r.Hidden)
	operations := 8 * n * r.Hidden
	benchISA(b, func(b *testing.B) {
		for _, threads := range []int{1, 2} {
			for _, c := range []struct {
				name string
				f    func()
			}{
				{"forward", func() { r.Forward(mem, &a, forward) }},
				{"backward", func() { r.Backward(dxw, dy, dh, dc, mem, &a, backward) }},
				{"weights", func() { r.WeightGrad(dr, dxw, mem, &a, backward) }},
			} {
				b.Run(fmt.Sprintf("%d/%s", threads, c.name), func(b *testing.B) {
					SetThreads(threads)
					defer SetThreads(0)
					benchShare(b, operations, threads, c.f)
				})
			}
		}
	})
}
