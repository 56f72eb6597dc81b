package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("view", view) }

// view writes loops that move elements.
func view(m *machine) {
	m.begin("repeat", "func(out, x []float32, n, stride int)", "fills rows of n elements with one of x each, which are stride elements apart.")
	out, x, end := m.base("out"), m.base("x"), m.length("out")
	m.LEAQ(operand.Mem{Base: out, Index: end, Scale: 4}, end)
	n, stride := m.integer("n"), m.integer("stride")
	row := m.span(n)
	loop, done := m.label("row"), m.label("done")
	m.Label(loop)
	m.CMPQ(out, end)
	m.JEQ(operand.LabelRef(done))
	v := m.vec()
	m.VBROADCASTSS(operand.Mem{Base: x}, v)
	row.each(4, func(at cursor) { at.store(v, out) })
	m.LEAQ(operand.Mem{Base: out, Index: n, Scale: 4}, out)
	m.LEAQ(operand.Mem{Base: x, Index: stride, Scale: 4}, x)
	m.JMP(operand.LabelRef(loop))
	m.Label(done)
	m.end()

	m.begin("moveRows", "func(out, x []float32, n, stride int)", "fills rows of n elements with those of x, which are stride elements apart.")
	out, x, end = m.base("out"), m.base("x"), m.length("out")
	m.LEAQ(operand.Mem{Base: out, Index: end, Scale: 4}, end)
	n, stride = m.integer("n"), m.integer("stride")
	row = m.span(n)
	loop, done = m.label("row"), m.label("done")
	m.Label(loop)
	m.CMPQ(out, end)
	m.JEQ(operand.LabelRef(done))
	row.each(4, func(at cursor) { at.store(at.load(x), out) })
	m.LEAQ(operand.Mem{Base: out, Index: n, Scale: 4}, out)
	m.LEAQ(operand.Mem{Base: x, Index: stride, Scale: 4}, x)
	m.JMP(operand.LabelRef(loop))
	m.Label(done)
	m.end()

	m.begin("transpose", "func(out, x []float32, rows, cols, outStride, stride int)",
		"sets out[r*outStride+c] to x[c*stride+r], for multiples of 8 rows and columns that are not 0.")
	out, x = m.base("out"), m.base("x")
	rows, cols, outStride := m.integer("rows"), m.integer("cols"), m.integer("outStride")
	stride = m.integer("stride")
	m.SHLQ(operand.U8(2), outStride)
	m.SHLQ(operand.U8(2), stride)
	outStride3, stride3 := m.GP64(), m.GP64()
	m.LEAQ(operand.Mem{Base: outStride, Index: outStride, Scale: 2}, outStride3)
	m.LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	rowLoop, colLoop := m.label("rows"), m.label("cols")
	m.Label(rowLoop)
	from, to, left := m.GP64(), m.GP64(), m.GP64()
	m.MOVQ(x, from)
	m.MOVQ(out, to)
	m.MOVQ(cols, left)
	m.Label(colLoop)
	m.transpose8(from, stride, stride3, to, outStride, outStride3)
	m.LEAQ(operand.Mem{Base: from, Index: stride, Scale: 8}, from)
	m.ADDQ(operand.U8(32), to)
	m.SUBQ(operand.U8(8), left)
	m.JNZ(operand.LabelRef(colLoop))
	m.ADDQ(operand.U8(32), x)
	m.LEAQ(operand.Mem{Base: out, Index: outStride, Scale: 8}, out)
	m.SUBQ(operand.U8(8), rows)
	m.JNZ(operand.LabelRef(rowLoop))
	m.end()
}

// transpose8 turns a square of eight by eight elements. Rows lie stride bytes
// apart; three times that is stride3.
func (m *machine) transpose8(from, stride, stride3, to, outStride, outStride3 reg.Register) {
	row := func(base, stride, stride3 reg.Register, i int) operand.Mem {
		switch i % 4 {
		case 1:
			return operand.Mem{Base: base, Index: stride, Scale: 1}
		case 2:
			return operand.Mem{Base: base, Index: stride, Scale: 2}
		case 3:
			return operand.Mem{Base: base, Index: stride3, Scale: 1}
		}
		return operand.Mem{Base: base}
	}
	middle := func(base, stride reg.Register) reg.Register {
		v := m.GP64()
		m.LEAQ(operand.Mem{Base: base, Index: stride, Scale: 4}, v)
		return v
	}
	var a, b, c [8]reg.VecVirtual
	for _, list := range []*[8]reg.VecVirtual{&a, &b, &c} {
		for i := range list {
			list[i] = m.YMM()
		}
	}
	base := []reg.Register{from, middle(from, stride)}
	for i := range a {
		m.VMOVUPS(row(base[i/4], stride, stride3, i), a[i])
	}
	for i := 0; i < 8; i += 2 { // pairs of rows
		m.VUNPCKLPS(a[i+1], a[i], b[i])
		m.VUNPCKHPS(a[i+1], a[i], b[i+1])
	}
	for i := 0; i < 8; i += 4 { // quarters
		for j := range 2 {
			m.VUNPCKLPD(b[i+2+j], b[i+j], c[i+2*j])
			m.VUNPCKHPD(b[i+2+j], b[i+j], c[i+2*j+1])
		}
	}
	for i := range 4 { // halves
		m.VPERM2F128(operand.U8(0x20), c[i+4], c[i], a[i])
		m.VPERM2F128(operand.U8(0x31), c[i+4], c[i], a[i+4])
	}
	base = []reg.Register{to, middle(to, outStride)}
	for i := range a {
		m.VMOVUPS(a[i], row(base[i/4], outStride, outStride3, i))
	}
}
