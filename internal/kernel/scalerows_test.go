package kernel

import "testing"

func TestScaleRows(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, size := range []struct{ rows, n int }{{1, 1}, {3, 7}, {40, 33}, {2, 5000}} {
			x, factors := make([]float32, size.rows*size.n), make([]float32, size.rows)
			for i := range x {
				x[i] = float32(i%13) - 6
			}
			for i := range factors {
				factors[i] = float32(i) - 0.5
			}
			out := make([]float32, len(x))
			ScaleRows(out, x, factors)
			for i, v := range x {
				if want := v * factors[i/size.n]; out[i] != want {
					t.Fatalf("%d rows of %d, element %d: got %v, want %v", size.rows, size.n, i, out[i], want)
				}
			}
		}
	})
}
