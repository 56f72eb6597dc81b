package onnxload

import (
	"math"
	"testing"
)

func TestMinifloatValues(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		dtype DType
		code  int
		want  float64
	}{
		{Float8E4M3FN, 0x01, 1.0 / 512}, {Float8E4M3FN, 0x38, 1}, {Float8E4M3FN, 0x7E, 448}, {Float8E4M3FN, 0x7F, nan}, {Float8E4M3FN, 0xFE, -448},
		{Float8E4M3FNUZ, 0x7F, 240}, {Float8E4M3FNUZ, 0x80, nan}, {Float8E4M3FNUZ, 0x40, 1},
		{Float8E5M2, 0x7B, 57344}, {Float8E5M2, 0x7C, inf}, {Float8E5M2, 0xFC, -inf}, {Float8E5M2, 0x7D, nan},
		{Float8E5M2FNUZ, 0x7F, 57344}, {Float8E5M2FNUZ, 0x80, nan},
		{Float4E2M1, 0x1, 0.5}, {Float4E2M1, 0x7, 6}, {Float4E2M1, 0xF, -6},
		{Float8E8M0, 127, 1}, {Float8E8M0, 0, math.Ldexp(1, -127)}, {Float8E8M0, 255, nan},
	} {
		got := float64(minifloats[c.dtype].values[c.code])
		if got != c.want && (got == got || c.want == c.want) {
			t.Errorf("%s %#x: got %v, want %v", c.dtype, c.code, got, c.want)
		}
	}
}

func TestMinifloatRounding(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		dtype             DType
		x, saturated, not float64
	}{
		{Float8E4M3FN, 1.0625, 1, 1},       // as near to 1 as to 1.125: the even one
		{Float8E4M3FN, 1.1875, 1.25, 1.25}, // as near to 1.125 as to 1.25
		{Float8E4M3FN, -0.0001, 0, 0},      // below half of the smallest
		{Float8E4M3FN, 460, 448, 448},      // less than half a step too large
		{Float8E4M3FN, 500, 448, nan},      //
		{Float8E4M3FN, -inf, -448, nan},    //
		{Float8E4M3FN, nan, nan, nan},      //
		{Float8E5M2, 1e6, 57344, inf},      //
		{Float8E5M2, -1e6, -57344, -inf},   //
		{Float8E4M3FNUZ, -1e-9, 0, 0},      // no negative zero
		{Float4E2M1, 5, 4, 4},              // as near to 4 as to 6
		{Float4E2M1, 5.1, 6, 6},            //
		{Float8E8M0, 1.1, 2, 2},            // up
		{Float8E8M0, 3 * math.Ldexp(1, 5), 128, 128},
	} {
		for i, want := range []float64{c.saturated, c.not} {
			if got := minifloats[c.dtype].round(c.x, i == 0); got != want && (got == got || want == want) {
				t.Errorf("%s of %v, to saturate %t: got %v, want %v", c.dtype, c.x, i == 0, got, want)
			}
		}
	}
	for dt, m := range minifloats {
		for _, v := range m.values {
			if got := m.round(float64(v), true); v <= math.MaxFloat32 && v >= -math.MaxFloat32 && got != float64(v) {
				t.Errorf("%s: %v becomes %v", dt, v, got)
			}
		}
	}
}
