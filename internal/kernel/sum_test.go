package kernel

import (
	"math"
	"slices"
	"testing"
)

func TestSums(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range slices.Concat(lengths, []int{1000, sumPiece + 17}) {
			x, y := noise(1, n+1)[1:], noise(2, n+3)[3:]
			keep := make([]bool, n)
			var sum, sizes, squares, distances, kept float64
			for i, v := range x {
				v, w := float64(v), float64(y[i])
				sum += v
				sizes += math.Abs(v)
				squares += v * v
				distances += (v - w) * (v - w)
				if keep[i] = i%3 != 1; keep[i] {
					kept += v * v
				}
			}
			for what, c := range map[string][2]float64{
				"total":          {total(x), sum},
				"totalOfAll":     {totalOfAll(x), sum},
				"SumSizes":       {SumSizes(x), sizes},
				"SumSquares":     {SumSquares(x), squares},
				"SquaredError":   {SquaredError(x, y), distances},
				"SumSquaresKept": {SumSquaresKept(x, keep), kept},
			} {
				if math.Abs(c[0]-c[1]) > 1e-12*(1+squares) {
					t.Errorf("%s of %d: got %v, want %v", what, n, c[0], c[1])
				}
			}
		}
	})
}

func TestFinite(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 15, 16, 17, 100, sumPiece + 3, 200_000} {
			x := make([]float32, n)
			fill(x, -math.MaxFloat32)
			if !Finite(x) {
				t.Fatalf("%d large numbers are not finite", n)
			}
			for i := 0; i < n; i += 1 + n/7 {
				for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					x[i] = float32(v)
					if Finite(x) {
						t.Fatalf("%d elements with %v at %d are finite", n, v, i)
					}
					x[i] = 1
				}
			}
		}
	})
}

func TestColumnSums(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for columns := 1; columns <= sumBlock; columns++ {
			for _, rows := range []int{0, 1, 3, 2*sumPiece/sumBlock + 1} {
				if rows > 3 && columns%17 != 0 {
					continue
				}
				stride := columns + 5
				x := noise(1, rows*stride)
				var sums columnSums
				fill64(sums[:], 0.5)
				sums.add(x, rows, stride, columns)
				for c := range sums {
					want := 0.5
					for r := range rows {
						if c < columns {
							want += float64(x[r*stride+c])
						}
					}
					if math.Abs(sums[c]-want) > 1e-12*float64(rows+1) {
						t.Fatalf("%d rows of %d: column %d: got %v, want %v", rows, columns, c, sums[c], want)
					}
				}
			}
		}
	})
}

func fill64(x []float64, v float64) {
	for i := range x {
		x[i] = v
	}
}
