package kernel

import (
	"fmt"
	"math"
	"testing"
)

// The cell and its gradients, against the formulas in float64.
func TestLSTMCell(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	eachISA(t, func(t *testing.T) {
		for _, n := range []int{1, 7, 8, 15, 16, 17, 64, 100} {
			what := fmt.Sprintf("%d elements", n)
			forms, xw := noise(1, 4*n), noise(2, 4*n)
			prev, dh, dcAfter := noise(3, n), noise(4, n), noise(5, n)
			var want struct{ gates, h, c, dg, dc []float64 }
			want.gates, want.dg = make([]float64, 4*n), make([]float64, 4*n)
			for j := range n {
				z := func(gate int) float64 { return float64(forms[gate*n+j]) + float64(xw[gate*n+j]) }
				i, o, f, g := sigmoid(z(0)), sigmoid(z(1)), sigmoid(z(2)), math.Tanh(z(3))
				c := f*float64(prev[j]) + i*g
				s := math.Tanh(c)
				want.h, want.c = append(want.h, o*s), append(want.c, c)
				d := float64(dcAfter[j]) + float64(dh[j])*o*(1-s*s)
				want.dc = append(want.dc, d*f)
				for gate, v := range []float64{i, o, f, g} {
					want.gates[gate*n+j] = v
				}
				for gate, v := range []float64{d * g * i * (1 - i), float64(dh[j]) * s * o * (1 - o), d * float64(prev[j]) * f * (1 - f), d * i * (1 - g*g)} {
					want.dg[gate*n+j] = v
				}
			}
			gates, check1 := guarded(t, 4*n, 1)
			copy(gates, forms)
			h, check2 := guarded(t, n, 2)
			c, check3 := guarded(t, n, 3)
			active.cell.lstm(gates, xw, h, c, prev)
			dg, check4 := guarded(t, 4*n, 1)
			dc, check5 := guarded(t, n, 3)
			copy(dc, dcAfter)
			active.cell.lstmGrad(dg, gates, c, prev, dh, dc)
			for _, check := range []func(string){check1, check2, check3, check4, check5} {
				check(what)
			}
			compare(t, what+": gates", gates, want.gates, 1e-6)
			compare(t, what+": state", h, want.h, 1e-6)
			compare(t, what+": cell", c, want.c, 1e-6)
			compare(t, what+": gradients of the forms", dg, want.dg, 1e-6)
			compare(t, what+": gradient of the cell", dc, want.dc, 1e-6)
		}
	})
}
