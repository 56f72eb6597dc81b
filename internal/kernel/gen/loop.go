package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// span is a count of elements, cut into vectors and a rest that is masked.
type span struct {
	m    *machine
	n    reg.GPVirtual
	rest operand.Op // mask of the rest: a mask register, or where a vector of it is
}

// span prepares loops over n elements.
func (m *machine) span(n reg.GPVirtual) span {
	s := span{m: m, n: n}
	left := m.GP64()
	m.MOVQ(n, left)
	m.ANDQ(operand.U8(m.lanes-1), left)
	if m.wide() {
		bits, k := m.GP32(), m.K()
		m.MOVL(operand.U32(0xFFFF), bits)
		m.BZHIL(left.As32(), bits, bits)
		m.KMOVW(bits, k)
		s.rest = k
		return s
	}
	// Eight lanes of the table from 8-left on: as many are set as there are left.
	table := m.GP64()
	m.LEAQ(m.restTable(), table)
	m.SHLQ(operand.U8(2), left)
	m.SUBQ(left, table)
	s.rest = operand.Mem{Base: table, Disp: 32}
	return s
}

// restTable is eight lanes of set bits and eight of none.
func (m *machine) restTable() operand.Mem {
	const key = 0xDEADBEEF // no constant
	if mem, ok := m.consts[key]; ok {
		return mem
	}
	mem := m.StaticGlobal("rest")
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		m.AppendDatum(operand.U32(map[bool]uint32{true: 0xFFFFFFFF}[i < 8]))
	}
	m.consts[key] = mem
	return mem
}

// cursor is the place of one vector in a loop.
type cursor struct {
	m     *machine
	index reg.GPVirtual
	off   int        // vectors after index
	rest  operand.Op // mask, nil for a whole vector
}

// each writes a loop that calls body for each vector of the span: several times
// for rounds of so many vectors, once for single ones and once for the rest.
func (s span) each(unroll int, body func(at cursor)) {
	s.groups(unroll, func(at []cursor) {
		for _, c := range at {
			body(c)
		}
	})
}

// groups is each for bodies that take the vectors of a round together.
func (s span) groups(unroll int, body func(at []cursor)) {
	s.tail(s.whole(unroll, body), func(at cursor) { body([]cursor{at}) })
}

// tail calls body for the rest, which begins at index, if there is one.
func (s span) tail(index reg.GPVirtual, body func(at cursor)) {
	done := s.m.label("done")
	s.m.CMPQ(index, s.n)
	s.m.JEQ(operand.LabelRef(done))
	rest := s.rest
	if mem, ok := rest.(operand.Mem); ok {
		rest = s.m.copy(mem)
	}
	body(cursor{m: s.m, index: index, rest: rest})
	s.m.Label(done)
}

// whole is groups without the rest, which begins at the index it returns.
func (s span) whole(unroll int, body func(at []cursor)) reg.GPVirtual {
	m := s.m
	index, next := m.GP64(), m.GP64()
	m.XORQ(index, index)
	rounds := []int{unroll, 1}
	if unroll == 1 {
		rounds = rounds[1:]
	}
	for _, vectors := range rounds {
		loop, done := m.label("loop"), m.label("done")
		m.Label(loop)
		m.LEAQ(operand.Mem{Base: index, Disp: vectors * m.lanes}, next)
		m.CMPQ(next, s.n)
		m.JGT(operand.LabelRef(done))
		var at []cursor
		for v := range vectors {
			at = append(at, cursor{m: m, index: index, off: v})
		}
		body(at)
		m.MOVQ(next, index)
		m.JMP(operand.LabelRef(loop))
		m.Label(done)
	}
	return index
}

// at is the place of the vector in an array of elements of so many bytes.
func (c cursor) at(array reg.Register, bytes int) operand.Mem {
	return operand.Mem{Base: array, Index: c.index, Scale: uint8(bytes), Disp: c.off * c.m.lanes * bytes}
}

// load reads a vector; lanes beyond the end are 0.
func (c cursor) load(array reg.Register) vec {
	v := c.m.vec()
	switch {
	case c.rest == nil:
		c.m.VMOVUPS(c.at(array, 4), v)
	case c.m.wide():
		c.m.VMOVUPS_Z(c.at(array, 4), c.rest, v)
	default:
		c.m.VMASKMOVPS(c.at(array, 4), c.rest, v)
	}
	return v
}

// loadOr reads a vector; lanes beyond the end are those of fill.
func (c cursor) loadOr(array reg.Register, fill vec) vec {
	v := c.load(array)
	if c.rest != nil {
		return c.m.choose(c.rest, v, fill)
	}
	return v
}

// only is v with 0 in the lanes beyond the end.
func (c cursor) only(v vec) vec {
	if c.rest == nil {
		return v
	}
	return c.m.keep(c.rest, v)
}

// store writes a vector but for the lanes beyond the end.
func (c cursor) store(v vec, array reg.Register) {
	switch {
	case c.rest == nil:
		c.m.VMOVUPS(v, c.at(array, 4))
	case c.m.wide():
		c.m.VMOVUPS(v, c.rest, c.at(array, 4))
	default:
		c.m.VMASKMOVPS(v, c.rest, c.at(array, 4))
	}
}

// prefetch reads into the cache what lies so many bytes behind the vector. It may
// be anything, or nothing.
func (c cursor) prefetch(array, ahead reg.Register) {
	if c.rest != nil || c.off*c.m.lanes%16 != 0 {
		return
	}
	at := c.m.GP64()
	c.m.LEAQ(c.at(array, 4), at)
	c.m.PREFETCHT0(operand.Mem{Base: at, Index: ahead, Scale: 1})
}
