package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("plane", planes) }

// planes move rows of images to where convolutions want them.
func planes(m *machine) {
	copyRows(m)
	finishRows(m)
	pickRows(m)
	joinRows(m)
	packLanes(m)
}

// rows writes a loop over as many rows as the argument of that name says, and
// ends the function after what follows.
func (m *machine) rows(row func(), then ...func()) {
	rows := m.integer("rows")
	loop, done := m.label("row"), m.label("end")
	m.TESTQ(rows, rows)
	m.JZ(operand.LabelRef(done))
	m.Label(loop)
	row()
	m.DECQ(rows)
	m.JNZ(operand.LabelRef(loop))
	m.Label(done)
	for _, f := range then {
		f()
	}
	m.end()
}

func copyRows(m *machine) {
	m.begin("copyRows", "func(dst *float32, dstStride int, src *float32, srcStride int, rows, n int)",
		"copies rows of n elements. Strides are in bytes.")
	dst, src := m.integer("dst"), m.integer("src")
	s := m.span(m.integer("n"))
	dstStride, srcStride := m.integer("dstStride"), m.integer("srcStride")
	m.rows(func() {
		s.each(1, func(at cursor) { at.store(at.load(src), dst) })
		m.ADDQ(srcStride, src)
		m.ADDQ(dstStride, dst)
	})
}

func finishRows(m *machine) {
	m.begin("finishRows", "func(dst *float32, dstStride int, src *float32, srcStride int, rows, n int, row, add, gate *float32, clamp int, lo, hi float32)",
		"is rowFinisher.")
	dst, src := m.integer("dst"), m.integer("src")
	s := m.span(m.integer("n"))
	dstStride, srcStride := m.integer("dstStride"), m.integer("srcStride")
	bias, add, gate, clamp := m.integer("row"), m.integer("add"), m.integer("gate"), m.integer("clamp")
	lo, hi, zero := m.scalar("lo"), m.scalar("hi"), m.zero()
	// without skips what follows if there is no such argument.
	without := func(r reg.Register, f func()) {
		skip := m.label("skip")
		m.TESTQ(r, r)
		m.JZ(operand.LabelRef(skip))
		f()
		m.Label(skip)
	}
	m.rows(func() {
		shift := m.zero()
		without(bias, func() {
			m.VBROADCASTSS(operand.Mem{Base: bias}, shift)
			m.ADDQ(operand.U8(4), bias)
		})
		s.each(1, func(at cursor) {
			v := at.load(src)
			without(bias, func() { m.VADDPS(shift, v, v) })
			without(add, func() { m.VADDPS(at.load(add), v, v) })
			without(clamp, func() {
				m.VMAXPS(v, lo, v) // of a NaN and a number, the first is the result
				m.VMINPS(v, hi, v)
				m.VADDPS(zero, v, v) // -0 + 0 is 0
			})
			without(gate, func() {
				const notEqual = 4 // or not a number
				m.VMOVAPS(m.keep(m.where(notEqual, at.load(gate), zero), v), v)
			})
			at.store(v, dst)
		})
		m.ADDQ(srcStride, src)
		m.ADDQ(dstStride, dst)
		without(add, func() { m.ADDQ(dstStride, add) })
		without(gate, func() { m.ADDQ(dstStride, gate) })
	})
}

func pickRows(m *machine) {
	m.begin("pickRows", "func(dst *float32, dstStride int, src *float32, srcStride int, rows, n int)",
		"copies every second element of rows, n of each. Strides are in bytes.")
	dst, src := m.integer("dst"), m.integer("src")
	dstStride, srcStride := m.integer("dstStride"), m.integer("srcStride")

	// A vector of results is every second element of one vector and of another
	// that starts on the last of the first: nothing is read behind the row.
	whole, rest := m.GP64(), m.integer("n")
	m.MOVQ(rest, whole)
	m.ANDQ(operand.I8(-m.lanes), whole)
	m.SUBQ(whole, rest)
	last := m.first(rest)
	m.LEAQ(operand.Mem{Base: rest, Index: rest, Scale: 1, Disp: -1}, rest)
	low := m.first(rest)
	m.SUBQ(operand.U8(m.lanes-1), rest)
	high := m.first(rest)
	var order vec
	if m.wide() {
		order = m.copy(m.lanesOf("evens", func(i int) int {
			if i < 8 {
				return 2 * i
			}
			return 16 + 2*i - 15
		}))
	}
	pick := func(index reg.Register, low, high, last operand.Op) {
		a := m.part(operand.Mem{Base: src, Index: index, Scale: 8}, low)
		b := m.part(operand.Mem{Base: src, Index: index, Scale: 8, Disp: 4 * (m.lanes - 1)}, high)
		if m.wide() {
			m.VPERMT2PS(b, order, a)
		} else {
			m.VSHUFPS(operand.U8(0b11011000), b, a, a)
			m.VPERMPD(operand.U8(0b11011000), a, a)
		}
		m.putPart(a, last, operand.Mem{Base: dst, Index: index, Scale: 4})
	}
	m.rows(func() {
		index := m.GP64()
		m.XORQ(index, index)
		loop, tail, next := m.label("loop"), m.label("tail"), m.label("next")
		m.Label(loop)
		m.CMPQ(index, whole)
		m.JEQ(operand.LabelRef(tail))
		pick(index, nil, nil, nil)
		m.ADDQ(operand.U8(m.lanes), index)
		m.JMP(operand.LabelRef(loop))
		m.Label(tail)
		m.CMPQ(rest, operand.I8(-m.lanes)) // 2·0 - 1 - (lanes-1)
		m.JEQ(operand.LabelRef(next))
		pick(index, low, high, last)
		m.Label(next)
		m.ADDQ(srcStride, src)
		m.ADDQ(dstStride, dst)
	})
}

func joinRows(m *machine) {
	m.begin("joinRows", "func(dst *float32, dstStride int, even, odd *float32, srcStride int, rows, n int)",
		"makes rows of n elements from even and odd ones. Strides are in bytes.")
	dst, even, odd := m.integer("dst"), m.integer("even"), m.integer("odd")
	dstStride, srcStride := m.integer("dstStride"), m.integer("srcStride")
	whole, rest := m.GP64(), m.integer("n")
	m.MOVQ(rest, whole)
	m.ANDQ(operand.I8(-2*m.lanes), whole)
	m.SUBQ(whole, rest)
	low := m.first(rest)
	high, odds, evens := m.GP64(), m.GP64(), m.GP64()
	m.MOVQ(rest, high)
	m.SUBQ(operand.U8(m.lanes), high)
	lastHigh := m.first(high)
	m.MOVQ(rest, odds)
	m.SHRQ(operand.U8(1), odds)
	m.LEAQ(operand.Mem{Base: rest, Disp: 1}, evens)
	m.SHRQ(operand.U8(1), evens)
	lastEven, lastOdd := m.first(evens), m.first(odds)
	m.SHRQ(operand.U8(1), whole)
	var lower, upper vec
	if m.wide() {
		lower = m.copy(m.lanesOf("lower", func(i int) int { return i/2 + i%2*16 }))
		upper = m.copy(m.lanesOf("upper", func(i int) int { return 8 + i/2 + i%2*16 }))
	}
	join := func(index reg.Register, evens, odds, low, high operand.Op) {
		e := m.part(operand.Mem{Base: even, Index: index, Scale: 4}, evens)
		o := m.part(operand.Mem{Base: odd, Index: index, Scale: 4}, odds)
		a, b := m.vec(), m.vec()
		if m.wide() {
			m.VMOVAPS(e, a)
			m.VPERMT2PS(o, lower, a)
			m.VPERMT2PS(o, upper, e)
			b = e
		} else {
			m.VUNPCKLPS(o, e, a)
			m.VUNPCKHPS(o, e, e)
			m.VPERM2F128(operand.U8(0x31), e, a, b)
			m.VPERM2F128(operand.U8(0x20), e, a, a)
		}
		m.putPart(a, low, operand.Mem{Base: dst, Index: index, Scale: 8})
		m.putPart(b, high, operand.Mem{Base: dst, Index: index, Scale: 8, Disp: 4 * m.lanes})
	}
	m.rows(func() {
		index := m.GP64()
		m.XORQ(index, index)
		loop, tail, next := m.label("loop"), m.label("tail"), m.label("next")
		m.Label(loop)
		m.CMPQ(index, whole)
		m.JEQ(operand.LabelRef(tail))
		join(index, nil, nil, nil, nil)
		m.ADDQ(operand.U8(m.lanes), index)
		m.JMP(operand.LabelRef(loop))
		m.Label(tail)
		m.TESTQ(rest, rest)
		m.JZ(operand.LabelRef(next))
		join(index, lastEven, lastOdd, low, lastHigh)
		m.Label(next)
		m.ADDQ(srcStride, even)
		m.ADDQ(srcStride, odd)
		m.ADDQ(dstStride, dst)
	})
}

func packLanes(m *machine) {
	m.begin("packLanes", "func(dst *float32, dstStride int, src *float32, offsets *int32, k int, order *int32, span, from, to int)",
		"is lanePacker.")
	dst, src, offsets, k := m.integer("dst"), m.integer("src"), m.integer("offsets"), m.integer("k")
	dstStride := m.integer("dstStride")
	span := m.integer("span")
	low := m.first(span)
	m.SUBQ(operand.U8(m.lanes), span)
	high := m.first(span)
	until, after := m.first(m.integer("to")), m.first(m.integer("from"))
	order := m.copy(operand.Mem{Base: m.integer("order")})
	var lanes operand.Op
	var side vec
	if m.wide() {
		mask := m.K()
		m.KANDNW(until, after, mask)
		lanes = mask
	} else {
		lanes = m.binary(m.VANDNPS, after, until)
		side = m.vec()
		m.VPSLLD(operand.U8(28), order, side)
	}
	m.Label("loop")
	off := m.GP64()
	m.MOVLQSX(operand.Mem{Base: offsets, Disp: 4}, off)
	a := m.part(operand.Mem{Base: src, Index: off, Scale: 1}, low)
	b := m.part(operand.Mem{Base: src, Index: off, Scale: 1, Disp: 4 * m.lanes}, high)
	if m.wide() {
		m.VPERMT2PS(b, order, a)
	} else {
		m.VPERMPS(a, order, a)
		m.VPERMPS(b, order, b)
		m.VBLENDVPS(side, b, a, a)
	}
	m.putPart(a, lanes, operand.Mem{Base: dst})
	m.ADDQ(operand.U8(8), offsets)
	m.ADDQ(dstStride, dst)
	m.DECQ(k)
	m.JNZ(operand.LabelRef("loop"))
	m.end()
}
