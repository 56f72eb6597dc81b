package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
)

const signBit = 1 << 31

// exp is e to the x within 1e-7 of its size. x is taken apart as k·ln 2 + r with
// |r| <= ln 2/2. The polynomial for (e^r - 1 - r)/r² has the least relative error
// of e^r among those of its degree, 3e-9. Results too small for float32 become
// subnormal, then 0; too large ones infinite; NaN stays.
func (m *machine) exp() func(x vec) vec {
	const ln2hi = 355.0 / 512 // exact, and so is its product with k
	low, high := m.hold(m.constant(-104)), m.hold(m.constant(89))
	log2e := m.hold(m.constant(math.Log2E))
	hi, lo := m.hold(m.constant(ln2hi)), m.hold(m.constant(math.Ln2-ln2hi))
	c := m.holdAll(1, 1, 0.499999934512, 0.166665206848, 0.041668387465, 0.00836871029642, 0.00138146083037)
	return func(x vec) vec {
		x = m.max(low, x)
		x = m.min(high, x)
		k := m.round(m.mul(x, log2e))
		m.VFNMADD231PS(hi, k, x)
		m.VFNMADD231PS(lo, k, x)
		return m.scaleByPowerOf2(m.horner(x, c), k)
	}
}

// round rounds to whole numbers.
func (m *machine) round(x vec) vec {
	const nearestQuiet = 8
	v := m.vec()
	if m.wide() {
		m.VRNDSCALEPS(operand.U8(nearestQuiet), x, v)
	} else {
		m.VROUNDPS(operand.U8(nearestQuiet), x, v)
	}
	return v
}

// scaleByPowerOf2 is x·2^k for whole k between -150 and 129.
func (m *machine) scaleByPowerOf2(x, k vec) vec {
	if m.wide() {
		v := m.vec()
		m.VSCALEFPS(k, x, v)
		return v
	}
	// In two steps, for 2^k alone may be out of range.
	whole := m.vec()
	m.VCVTPS2DQ(k, whole)
	first := m.vec()
	m.VPSRAD(operand.U8(1), whole, first)
	second := m.vec()
	m.VPSUBD(first, whole, second)
	return m.mul(m.mul(x, m.powerOf2(first)), m.powerOf2(second))
}

// powerOf2 is 2^k for integers k of a normal float32. AVX2.
func (m *machine) powerOf2(k vec) vec {
	v := m.vec()
	m.VPADDD(m.pattern(127), k, v)
	m.VPSLLD(operand.U8(23), v, v)
	return v
}

// ratio is an odd function that levels off to ±1: x·P(x²)/Q(x²) up to end, which
// is where it rounds to 1. The coefficients have the least relative error for
// their number.
type ratio struct {
	end  float64
	p, q []float64
}

// Relative errors 2.1e-8 and 1.9e-8, before rounding.
var (
	tanhRatio = ratio{9.02,
		[]float64{0.999999979195, 0.133796707373, 0.00349397782265, 2.05825361862e-5, 1.33177667698e-8},
		[]float64{1, 0.467129860446, 0.0258708588972, 0.000328299937208, 7.76148308811e-7}}
	erfRatio = ratio{3.93,
		[]float64{1.12837914554, 0.190772947556, 0.0527886428461, 0.0037790882132, 0.000284788102222, 2.04193993142e-6},
		[]float64{1, 0.502400845279, 0.114252840267, 0.0149963984734, 0.00116507007012, 3.80026803569e-5}}
)

// saturating computes a ratio. NaN stays.
func (m *machine) saturating(r ratio) func(x vec) vec {
	low, high := m.hold(m.constant(-r.end)), m.hold(m.constant(r.end))
	minusOne, one := m.hold(m.constant(-1)), m.hold(m.constant(1))
	p, q := m.holdAll(r.p...), m.holdAll(r.q...)
	return func(x vec) vec {
		x = m.max(low, x)
		x = m.min(high, x)
		squared := m.mul(x, x)
		y := m.div(m.mul(x, m.horner(squared, p)), m.horner(squared, q))
		y = m.max(minusOne, y) // rounding may lead beyond
		return m.min(one, y)
	}
}

// log is the natural logarithm of x >= 1, taken apart as 2^k·(1+f) with f between
// -1/4 and 1/2. The polynomial for (log(1+f) - f + f²/2)/f³ has the least
// relative error of log(1+f) among those of its degree, 4e-8. NaN stays, and
// infinity becomes NaN.
func (m *machine) log(x vec) vec {
	const ln2hi = 355.0 / 512
	base := m.pattern(math.Float32bits(0.75))
	exponent, shifted, whole, f := m.vec(), m.vec(), m.vec(), m.vec()
	m.VPSUBD(base, x, exponent)
	m.VPSRAD(operand.U8(23), exponent, exponent)
	m.VCVTDQ2PS(exponent, whole)
	m.VPSLLD(operand.U8(23), exponent, shifted)
	m.VPSUBD(shifted, x, f)
	m.VSUBPS(m.constant(1), f, f)
	var c []operand.Op
	for _, v := range []float64{0.333334706911, -0.249963604809, 0.199823202491, -0.167888228253, 0.149044386814, -0.121140886419, 0.0555966779986} {
		c = append(c, m.constant(v))
	}
	squared := m.mul(f, f)
	y := m.mul(m.mul(squared, f), m.horner(f, c))
	m.VFNMADD231PS(m.constant(0.5), squared, y)
	m.VFMADD231PS(m.constant(math.Ln2-ln2hi), whole, y)
	y = m.add(y, f)
	m.VFMADD231PS(m.constant(ln2hi), whole, y)
	return m.add(y, m.sub(x, x))
}
