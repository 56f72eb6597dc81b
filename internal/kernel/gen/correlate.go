package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("correlate", correlates) }

// correlates are the inner loops of gradients of weights: products of up to four
// rows of gradients with so many rows of inputs, a function for each number.
func correlates(m *machine) {
	most := 3
	if m.wide() {
		most = 6
	}
	for inputs := 1; inputs <= most; inputs++ {
		correlate(m, inputs)
	}
}

func correlate(m *machine, inputs int) {
	const gradients = 4
	name := fmt.Sprintf("correlate%d", inputs)
	m.begin(name, "func(x *float32, offsets *int32, y *float32, rowY, rows, frames, n, frameX, frameY int, out *float32, rowOut, add int)",
		"is correlator for %d rows of inputs.", inputs)
	offsets, x := m.integer("offsets"), m.integer("x")
	xs := make([]reg.GPVirtual, inputs)
	for i := range xs {
		xs[i] = m.GP64()
		m.MOVLQSX(operand.Mem{Base: offsets, Disp: 8*i + 4}, xs[i])
		m.ADDQ(x, xs[i])
	}
	// Rows that are not there repeat the one before.
	ys := make([]reg.GPVirtual, gradients)
	ys[0] = m.integer("y")
	for j := 1; j < gradients; j++ {
		ys[j] = m.GP64()
		m.MOVQ(m.address(m.Param("rowY")), ys[j])
		m.ADDQ(ys[j-1], ys[j])
		m.CMPQ(m.address(m.Param("rows")), operand.U8(j))
		m.CMOVQLE(ys[j-1], ys[j])
	}
	n := m.integer("n")
	whole := m.GP64()
	m.MOVQ(n, whole)
	m.ANDQ(operand.I8(-m.lanes), whole)
	m.SUBQ(whole, n)
	rest := m.firstAt(n)
	m.SHLQ(operand.U8(2), whole)

	sum := make([][gradients]vec, inputs)
	for i := range sum {
		for j := range sum[i] {
			sum[i][j] = m.zero()
		}
	}
	add := func(index reg.Register, mask operand.Op) {
		part := func(base reg.Register) vec { return m.part(operand.Mem{Base: base, Index: index, Scale: 1}, mask) }
		if m.wide() {
			var y [gradients]vec
			for j := range y {
				y[j] = part(ys[j])
			}
			for i := range xs {
				x := part(xs[i])
				for j := range y {
					m.VFMADD231PS(y[j], x, sum[i][j])
				}
			}
			return
		}
		x := make([]vec, inputs)
		for i := range x {
			x[i] = part(xs[i])
		}
		for j := range ys {
			y := part(ys[j])
			for i := range x {
				m.VFMADD231PS(y, x[i], sum[i][j])
			}
		}
	}
	frames, index := m.integer("frames"), m.GP64()
	m.Label("frame")
	m.XORQ(index, index)
	m.Label("loop")
	m.CMPQ(index, whole)
	m.JEQ(operand.LabelRef("rest"))
	add(index, nil)
	m.ADDQ(operand.U8(4*m.lanes), index)
	m.JMP(operand.LabelRef("loop"))
	m.Label("rest")
	m.TESTQ(n, n)
	m.JZ(operand.LabelRef("next"))
	add(index, rest)
	m.Label("next")
	for _, x := range xs {
		m.ADDQ(m.address(m.Param("frameX")), x)
	}
	for _, y := range ys {
		m.ADDQ(m.address(m.Param("frameY")), y)
	}
	m.DECQ(frames)
	m.JNZ(operand.LabelRef("frame"))

	out, rows := m.integer("out"), m.integer("rows")
	for j := range gradients {
		for i := 0; i < inputs; i += 4 {
			some := make([]vec, 0, 4)
			for _, s := range sum[i:min(i+4, inputs)] {
				some = append(some, s[j])
			}
			m.addTotals(some, operand.Mem{Base: out, Disp: 4 * i})
		}
		m.ADDQ(m.address(m.Param("rowOut")), out)
		m.DECQ(rows)
		m.JZ(operand.LabelRef("end"))
	}
	m.Label("end")
	m.end()
}

// addTotals stores the totals of up to four vectors one behind the other, or
// adds them to what is there if the argument add is not 0.
func (m *machine) addTotals(sums []vec, to operand.Mem) {
	total, old := m.fourTotals(sums), m.XMM()
	var mask operand.Op
	if m.wide() {
		bits, k := m.GP32(), m.K()
		m.MOVL(operand.U32(1<<len(sums)-1), bits)
		m.KMOVW(bits, k)
		mask = k
	} else {
		lanes := m.XMM()
		m.VMOVUPS(m.firstTable(len(sums)), lanes)
		mask = lanes
	}
	m.CMPQ(m.address(m.Param("add")), operand.U8(0))
	fresh := m.label("fresh")
	m.JEQ(operand.LabelRef(fresh))
	if m.wide() {
		m.VMOVUPS_Z(to, mask, old)
	} else {
		m.VMASKMOVPS(to, mask, old)
	}
	m.VADDPS(old, total, total)
	m.Label(fresh)
	if m.wide() {
		m.VMOVUPS(total, mask, to)
	} else {
		m.VMASKMOVPS(total, mask, to)
	}
}

// fourTotals is four lanes with the totals of up to four vectors.
func (m *machine) fourTotals(sums []vec) reg.Register {
	at := func(i int) vec { return sums[i%len(sums)] }
	pair := func(a, b vec) vec { // of each 128 bits: a0+a2, b0+b2, a1+a3, b1+b3
		return m.add(m.binary(m.VUNPCKLPS, a, b), m.binary(m.VUNPCKHPS, a, b))
	}
	shuffle := func(order uint8, a, b vec) vec {
		v := m.vec()
		m.VSHUFPS(operand.U8(order), b, a, v)
		return v
	}
	a, b := pair(at(0), at(1)), pair(at(2), at(3))
	v := m.add(shuffle(0x44, a, b), shuffle(0xEE, a, b))
	total, high := v.AsX(), m.XMM()
	if m.wide() {
		upper := m.YMM()
		m.VEXTRACTF64X4(operand.U8(1), v, upper)
		m.VADDPS(upper, v.AsY(), v.AsY())
		m.VEXTRACTF32X4(operand.U8(1), v.AsY(), high)
	} else {
		m.VEXTRACTF128(operand.U8(1), v, high)
	}
	m.VADDPS(high, total, total)
	return total
}

// firstTable is the mask of the first n of four lanes.
func (m *machine) firstTable(n int) operand.Mem {
	const key = 0xDEADBEE0 // no constant
	mem, ok := m.consts[key]
	if !ok {
		mem = m.StaticGlobal("first")
		m.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 8 {
			m.AppendDatum(operand.U32(map[bool]uint32{true: 0xFFFFFFFF}[i < 4]))
		}
		m.consts[key] = mem
	}
	mem.Disp += 4 * (4 - n)
	return mem
}
