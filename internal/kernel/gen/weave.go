package main

import "github.com/mmcloughlin/avo/operand"

// weave takes two vectors apart into their even and odd elements, and makes two
// of even and odd elements.
type weave struct {
	m                    *machine
	even, odd, low, high operand.Op // AVX-512: places in two vectors
}

// weave keeps the places in registers.
func (m *machine) weave() weave {
	w := weave{m: m}
	if m.wide() {
		w.even = m.copy(m.lanesOf(m.label("even"), func(i int) int { return 2 * i }))
		w.odd = m.copy(m.lanesOf(m.label("odd"), func(i int) int { return 2*i + 1 }))
		w.low = m.copy(m.lanesOf(m.label("low"), func(i int) int { return i/2 + i%2*16 }))
		w.high = m.copy(m.lanesOf(m.label("high"), func(i int) int { return 8 + i/2 + i%2*16 }))
	}
	return w
}

func (w weave) pick(places operand.Op, a, b vec) vec {
	v := w.m.vec()
	w.m.VMOVUPS(places, v)
	w.m.VPERMI2PS(b, a, v)
	return v
}

func (w weave) apart(low, high vec) (even, odd vec) {
	if w.m.wide() {
		return w.pick(w.even, low, high), w.pick(w.odd, low, high)
	}
	half := func(which int) vec {
		v := w.m.vec()
		w.m.VSHUFPS(operand.U8(0x88+0x55*which), high, low, v)
		w.m.VPERMPD(operand.U8(0b11011000), v, v)
		return v
	}
	return half(0), half(1)
}

func (w weave) together(even, odd vec) (low, high vec) {
	m := w.m
	if m.wide() {
		return w.pick(w.low, even, odd), w.pick(w.high, even, odd)
	}
	a, b := m.vec(), m.vec()
	low, high = m.vec(), m.vec()
	m.VUNPCKLPS(odd, even, a)
	m.VUNPCKHPS(odd, even, b)
	m.VPERM2F128(operand.U8(0x20), b, a, low)
	m.VPERM2F128(operand.U8(0x31), b, a, high)
	return low, high
}
