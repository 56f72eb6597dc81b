package onnxload

import (
	"math"
	"slices"
)

// minifloat is a floating-point format of eight bits or less. Its numbers are
// computed with as float32, which holds all of them.
type minifloat struct {
	bits     int       // of a code
	values   []float32 // by code
	positive []int     // codes of the numbers that are not negative, in order
	infinite bool      // it has infinities
	zero     bool      // it has one zero, without a sign
	signed   bool
}

// minifloats are the formats, by their names in ONNX: E and M say how many bits
// the exponent and the mantissa have, FN that there are no infinities, and UZ
// that there is no negative zero, whose code stands for NaN (Micikevicius et al.,
// FP8 Formats for Deep Learning, 2022; Noune et al., 8-bit Numerical Formats for
// Deep Neural Networks, 2022).
var minifloats = map[DType]*minifloat{
	Float8E4M3FN:   newMinifloat(4, 3, 7, func(code int) bool { return code == 0x7F }, false, false),
	Float8E4M3FNUZ: newMinifloat(4, 3, 8, func(int) bool { return false }, false, true),
	Float8E5M2:     newMinifloat(5, 2, 15, func(code int) bool { return code > 0x7C }, true, false),
	Float8E5M2FNUZ: newMinifloat(5, 2, 16, func(int) bool { return false }, false, true),
	Float4E2M1:     newMinifloat(2, 1, 1, func(int) bool { return false }, false, false),
	Float8E8M0:     powersOfTwo(),
}

// newMinifloat makes a format with a sign. isNaN is asked for codes without it.
func newMinifloat(exponent, mantissa, bias int, isNaN func(code int) bool, infinite, zero bool) *minifloat {
	m := &minifloat{bits: 1 + exponent + mantissa, infinite: infinite, zero: zero, signed: true}
	half := 1 << (exponent + mantissa)
	m.values = make([]float32, 2*half)
	for code := range half {
		e, f := code>>mantissa, code&(1<<mantissa-1)
		v := math.Ldexp(float64(1<<mantissa+f), e-bias-mantissa)
		switch {
		case e == 0:
			v = math.Ldexp(float64(f), 1-bias-mantissa)
		case isNaN(code):
			v = math.NaN()
		case infinite && e == 1<<exponent-1:
			v = math.Inf(1)
		}
		m.values[code], m.values[half+code] = float32(v), float32(-v)
		if v <= math.MaxFloat32 {
			m.positive = append(m.positive, code)
		}
	}
	if zero {
		m.values[half] = float32(math.NaN())
	}
	return m
}

// powersOfTwo is the format of scales: an exponent and nothing else.
func powersOfTwo() *minifloat {
	m := &minifloat{bits: 8}
	for code := range 255 {
		m.values = append(m.values, float32(math.Ldexp(1, code-127)))
		m.positive = append(m.positive, code)
	}
	m.values = append(m.values, float32(math.NaN()))
	return m
}

// round is the number of the format next to x, the even one of two that are as
// near, and the next larger one among powers of two. What is too large becomes
// the largest number if it is to saturate, else infinity, or NaN where there is
// none; NaN becomes 0 where there is none of that.
func (m *minifloat) round(x float64, saturate bool) float64 {
	size, sign := math.Abs(x), math.Copysign(1, x)
	switch {
	case math.IsNaN(x) && m.bits < 8:
		return 0
	case math.IsNaN(x), !m.signed && x < 0:
		return math.NaN()
	}
	largest := m.value(len(m.positive) - 1)
	i, found := slices.BinarySearchFunc(m.positive, size, func(code int, v float64) int {
		switch have := float64(m.values[code]); {
		case have < v:
			return -1
		case have > v:
			return 1
		}
		return 0
	})
	switch {
	case found:
	case i == len(m.positive):
		// Beyond the largest by less than half a step still rounds to it.
		step := largest - m.value(i-2)
		if size < largest+step/2 && !math.IsInf(x, 0) || saturate {
			i--
			break
		}
		if m.infinite {
			return math.Inf(int(sign))
		}
		return math.NaN()
	case i > 0 && m.signed:
		below, above := size-m.value(i-1), m.value(i)-size
		if below < above || below == above && m.positive[i-1]%2 == 0 {
			i--
		}
	}
	if m.positive[i] == 0 && m.zero && m.signed {
		return 0
	}
	return sign * m.value(i)
}

// value is the i-th number that is not negative.
func (m *minifloat) value(i int) float64 { return float64(m.values[m.positive[i]]) }

// decode reads packed codes, the low bits first.
func (m *minifloat) decode(out []float32, raw func(i int) int64) {
	per := 8 / m.bits
	for i := range out {
		out[i] = m.values[int(raw(i/per)>>(m.bits*(i%per)))&(1<<m.bits-1)]
	}
}
