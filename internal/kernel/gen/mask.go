package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Masks keep loads and stores off lanes: in a mask register with AVX-512, in a vector
// or in memory with AVX2.

// first is the mask of the first n lanes: none if n is negative, all if there
// are fewer. n must be less than 256.
func (m *machine) first(n reg.GPVirtual) operand.Op {
	mask := m.firstAt(n)
	if mem, ok := mask.(operand.Mem); ok {
		return m.copy(mem)
	}
	return mask
}

// firstAt is first, but that a vector stays in memory.
func (m *machine) firstAt(n reg.GPVirtual) operand.Op {
	none := m.GP64()
	count := m.GP64()
	m.MOVQ(n, count)
	m.XORQ(none, none)
	m.TESTQ(count, count)
	m.CMOVQLT(none, count)
	if m.wide() {
		bits, k := m.GP32(), m.K()
		m.MOVL(operand.U32(0xFFFFFFFF), bits)
		m.BZHIL(count.As32(), bits, bits)
		m.KMOVW(bits, k)
		return k
	}
	all, table := m.GP64(), m.GP64()
	m.MOVQ(operand.U32(m.lanes), all)
	m.CMPQ(count, all)
	m.CMOVQGT(all, count)
	m.LEAQ(m.restTable(), table)
	m.SHLQ(operand.U8(2), count)
	m.SUBQ(count, table)
	return operand.Mem{Base: table, Disp: 32}
}

// part reads the lanes of a mask, 0 elsewhere. With mask nil it reads all.
func (m *machine) part(from operand.Mem, mask operand.Op) vec {
	v := m.vec()
	switch {
	case mask == nil:
		m.VMOVUPS(from, v)
	case m.wide():
		m.VMOVUPS_Z(from, mask, v)
	default:
		if mem, ok := mask.(operand.Mem); ok {
			m.VMOVUPS(mem, v)
			mask = v
		}
		m.VMASKMOVPS(from, mask, v)
	}
	return v
}

// putPart writes the lanes of a mask. With mask nil it writes all.
func (m *machine) putPart(v vec, mask operand.Op, to operand.Mem) {
	switch {
	case mask == nil:
		m.VMOVUPS(v, to)
	case m.wide():
		m.VMOVUPS(v, mask, to)
	default:
		m.VMASKMOVPS(v, mask, to)
	}
}

// masksAt reads n masks.
func (m *machine) masksAt(table reg.GPVirtual, from, n int) []operand.Op {
	list := make([]operand.Op, n)
	for i := range list {
		if m.wide() {
			k := m.K()
			m.KMOVW(operand.Mem{Base: table, Disp: 4 * (from + i)}, k)
			list[i] = k
		} else {
			list[i] = operand.Mem{Base: table, Disp: 32 * (from + i)}
		}
	}
	return list
}

// putWhole writes the lanes of a mask, which are all if the argument whole is
// not 0.
func (m *machine) putWhole(v vec, mask operand.Op, to operand.Mem) {
	if m.wide() {
		m.putPart(v, mask, to)
		return
	}
	part, done := m.label("part"), m.label("done")
	m.CMPQ(m.address(m.Param("whole")), operand.U8(0))
	m.JEQ(operand.LabelRef(part))
	m.VMOVUPS(v, to)
	m.JMP(operand.LabelRef(done))
	m.Label(part)
	m.putPart(v, m.copy(mask), to)
	m.Label(done)
}
