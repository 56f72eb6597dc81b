package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("rank", rank) }

// rank writes passes over weights that are ranked by the bits of their size. What
// is not kept counts as smaller than all.
func rank(m *machine) {
	m.begin("countBelow", "func(x []float32, keep []bool, limit uint32) int",
		"counts what is dropped or has a size, as bits, below limit; the length is a multiple of %d.", m.lanes)
	r := m.ranking()
	count := m.GP64()
	m.MOVQ(r.all.n, count)
	r.all.whole(1, func(at []cursor) {
		m.SUBQ(m.countLanes(r.kept(at[0])), count)
	})
	m.Store(count, m.ReturnIndex(0))
	m.end()

	m.begin("dropBelow", "func(x []float32, keep []bool, limit uint32)",
		"drops what has a size, as bits, below limit; the length is a multiple of %d.", m.lanes)
	r = m.ranking()
	one := m.XMM()
	m.VMOVUPS(m.bytes(1), one)
	r.all.whole(1, func(at []cursor) {
		kept := r.kept(at[0])
		at[0].store(m.keep(kept, at[0].load(r.x)), r.x)
		m.storeFlags(kept, one, at[0].at(r.keep, 1))
	})
	m.end()

	m.begin("pickBetween", "func(out []uint32, x []float32, keep []bool, first, count uint32) int",
		"writes the sizes, as bits, of what is kept and is at first or less than count above; the length is a multiple of %d, and out has room for all. It returns how many there are.", m.lanes)
	r = m.rankingOf("first")
	out := m.base("out")
	span := m.scalar("count")
	picked := m.GP64()
	m.XORQ(picked, picked)
	r.all.whole(1, func(at []cursor) {
		size := m.and(at[0].load(r.x), r.positive)
		m.VPSUBD(r.limit, size, size)
		flags := m.flags(at[0], r.keep)
		bits := m.GP64()
		if m.wide() {
			k := m.K()
			const lessUnsigned = 1
			m.VPCMPUD(operand.U8(lessUnsigned), span, size, k)
			m.KANDW(flags, k, k)
			packed := m.vec()
			m.VPADDD(r.limit, size, size)
			m.VPCOMPRESSD_Z(size, k, packed)
			m.VMOVUPS(packed, operand.Mem{Base: out, Index: picked, Scale: 4})
			m.KMOVW(k, bits.As32())
			m.POPCNTQ(bits, bits)
			m.ADDQ(bits, picked)
			return
		}
		// Unsigned: a is below b where the larger of a+1 and b is b.
		least, within := m.vec(), m.vec()
		m.VPMINUD(span, size, least)
		m.VPCMPEQD(least, size, within)
		equal := m.vec()
		m.VPCMPEQD(span, size, equal)
		m.VPANDN(within, equal, within)
		m.VPAND(flags.(vec), within, within)
		m.VMOVMSKPS(within, bits.As32())
		loop, done := m.label("pick"), m.label("done")
		lane := m.GP64()
		m.Label(loop)
		m.TESTQ(bits, bits)
		m.JZ(operand.LabelRef(done))
		m.BSFQ(bits, lane)
		m.ADDQ(at[0].index, lane)
		value := m.GP32()
		m.MOVL(operand.Mem{Base: r.x, Index: lane, Scale: 4}, value)
		m.ANDL(operand.U32(signBit-1), value)
		m.MOVL(value, operand.Mem{Base: out, Index: picked, Scale: 4})
		m.INCQ(picked)
		low := m.GP64()
		m.LEAQ(operand.Mem{Base: bits, Disp: -1}, low)
		m.ANDQ(low, bits)
		m.JMP(operand.LabelRef(loop))
		m.Label(done)
	})
	m.Store(picked, m.ReturnIndex(0))
	m.end()
}

// ranking is what the passes have in common.
type ranking struct {
	m               *machine
	x, keep         reg.GPVirtual
	all             span
	positive, limit vec
}

func (m *machine) ranking() *ranking { return m.rankingOf("limit") }

func (m *machine) rankingOf(limit string) *ranking {
	r := &ranking{m: m, x: m.base("x"), keep: m.base("keep"), positive: m.copy(m.pattern(signBit - 1)), limit: m.scalar(limit)}
	r.all = span{m: m, n: m.length("x")}
	return r
}

// kept is the mask of what is kept and not below the limit.
func (r *ranking) kept(at cursor) operand.Op {
	m := r.m
	size := m.and(at.load(r.x), r.positive)
	flags := m.flags(at, r.keep)
	if m.wide() {
		const notLess = 5
		k := m.K()
		m.VPCMPD(operand.U8(notLess), r.limit, size, k)
		m.KANDW(flags, k, k)
		return k
	}
	below := m.mask(m.VPCMPGTD, size, r.limit)
	return m.binary(m.VANDNPS, below, flags)
}

// countLanes is how many lanes a mask holds for.
func (m *machine) countLanes(mask operand.Op) reg.Register {
	bits := m.GP64()
	if m.wide() {
		m.KMOVW(mask, bits.As32())
	} else {
		m.VMOVMSKPS(mask, bits.As32())
	}
	m.POPCNTQ(bits, bits)
	return bits
}

// storeFlags writes a mask as booleans.
func (m *machine) storeFlags(mask operand.Op, one reg.VecVirtual, to operand.Mem) {
	if m.wide() {
		flags := m.XMM()
		m.VMOVDQU8_Z(one, mask, flags)
		m.VMOVDQU8(flags, to)
		return
	}
	low, high := m.XMM(), m.XMM()
	m.VMOVUPS(mask.(vec).AsX(), low)
	m.VEXTRACTF128(operand.U8(1), mask, high)
	m.VPACKSSDW(high, low, low)
	m.VPACKSSWB(low, low, low)
	m.VPAND(one, low, low)
	m.VMOVQ(low, to)
}

// bytes is sixteen bytes of the same value.
func (m *machine) bytes(b uint32) operand.Mem { return m.pattern(b * 0x01010101) }
