package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("sparse", sparse) }

// sparse are the inner loops of products with a matrix that is mostly zero.
func sparse(m *machine) {
	for vectors := 1; vectors <= 8; vectors++ {
		sparseRows(m, vectors)
	}
	sparseDots(m)
}

// sparseRows makes rows of so many vectors of the result. An element of the
// sparse factor multiplies all of them, so there is one load of it for many
// operations. Few vectors have several sums each, or additions would wait for
// each other.
func sparseRows(m *machine, vectors int) {
	m.begin(fmt.Sprintf("sparseRows%d", vectors), "func(counts, terms []int32, a, b, start, c []float32, rowC, add int)",
		"is sparseLoops.rows for %d vectors.", vectors)
	parts := max(1, 8/vectors)
	counts, rows, terms := m.base("counts"), m.length("counts"), m.base("terms")
	a, b, c := m.base("a"), m.base("b"), m.base("c")
	sums := make([][]vec, parts)
	for p := range sums {
		for range vectors {
			sums[p] = append(sums[p], m.vec())
		}
	}
	at := func(base reg.Register, j int) operand.Mem { return operand.Mem{Base: base, Disp: 4 * m.lanes * j} }
	term := func(i int) {
		pa, pb := m.GP64(), m.GP64()
		m.MOVLQSX(operand.Mem{Base: terms, Disp: 8 * i}, pa)
		m.MOVLQSX(operand.Mem{Base: terms, Disp: 8*i + 4}, pb)
		left := m.vec()
		m.VBROADCASTSS(operand.Mem{Base: a, Index: pa, Scale: 1}, left)
		for j, s := range sums[i] {
			m.VFMADD231PS(operand.Mem{Base: b, Index: pb, Scale: 1, Disp: 4 * m.lanes * j}, left, s)
		}
	}

	m.Label("row")
	m.TESTQ(rows, rows)
	m.JZ(operand.LabelRef("end"))
	for _, part := range sums[1:] {
		for _, s := range part {
			m.VXORPS(s, s, s)
		}
	}
	start := m.base("start")
	m.CMPQ(m.address(m.Param("add")), operand.U8(0))
	m.JNE(operand.LabelRef("more"))
	m.TESTQ(start, start)
	m.JNZ(operand.LabelRef("from"))
	for _, s := range sums[0] {
		m.VXORPS(s, s, s)
	}
	m.JMP(operand.LabelRef("begin"))
	m.Label("more")
	for j, s := range sums[0] {
		m.VMOVUPS(at(c, j), s)
	}
	m.JMP(operand.LabelRef("begin"))
	m.Label("from")
	for _, s := range sums[0] {
		m.VBROADCASTSS(operand.Mem{Base: start}, s)
	}
	m.ADDQ(operand.U8(4), start)
	m.MOVQ(start, m.address(m.Param("start").Base()))

	m.Label("begin")
	left := m.GP64()
	m.MOVLQSX(operand.Mem{Base: counts}, left)
	m.ADDQ(operand.U8(4), counts)
	if parts > 1 {
		m.Label("several")
		m.SUBQ(operand.U8(parts), left)
		m.JLT(operand.LabelRef("few"))
		for p := range parts {
			term(p)
		}
		m.ADDQ(operand.U8(8*parts), terms)
		m.JMP(operand.LabelRef("several"))
		m.Label("few")
		m.ADDQ(operand.U8(parts), left)
	}
	m.Label("one")
	m.SUBQ(operand.U8(1), left)
	m.JLT(operand.LabelRef("store"))
	term(0)
	m.ADDQ(operand.U8(8), terms)
	m.JMP(operand.LabelRef("one"))

	m.Label("store")
	for n := parts; n > 1; { // pairs of parts, and pairs of these
		half := (n + 1) / 2
		for p := range n - half {
			for j, s := range sums[p] {
				m.VADDPS(sums[p+half][j], s, s)
			}
		}
		n = half
	}
	for j, s := range sums[0] {
		m.VMOVUPS(s, at(c, j))
	}
	m.ADDQ(m.address(m.Param("rowC")), c)
	m.DECQ(rows)
	m.JMP(operand.LabelRef("row"))
	m.Label("end")
	m.end()
}

// sparseDots makes elements of a result that is wanted in few places, each a sum
// along two rows, six at a time.
func sparseDots(m *machine) {
	const most = 6
	m.begin("sparseDots", "func(terms []int32, count int, a, b, c []float32, n, frames, frameA, frameB, add int)",
		"is sparseLoops.dots.")
	terms, count, b := m.base("terms"), m.integer("count"), m.base("b")
	n, whole := m.integer("n"), m.GP64()
	m.MOVQ(n, whole)
	m.ANDQ(operand.I8(-m.lanes), whole)
	m.SUBQ(whole, n)
	rest := m.firstAt(n)
	m.SHLQ(operand.U8(2), whole)

	m.Label("terms")
	m.TESTQ(count, count)
	m.JLE(operand.LabelRef("end"))
	sums, rows := make([]vec, most), make([]reg.GPVirtual, most)
	for i := range sums {
		sums[i], rows[i] = m.zero(), m.GP64()
		m.MOVLQSX(operand.Mem{Base: terms, Disp: 8*i + 4}, rows[i])
		m.ADDQ(b, rows[i])
	}
	a, frames, index := m.base("a"), m.integer("frames"), m.GP64()
	m.Label("frame")
	m.XORQ(index, index)
	m.Label("loop")
	m.CMPQ(index, whole)
	m.JEQ(operand.LabelRef("rest"))
	one := m.copy(operand.Mem{Base: a, Index: index, Scale: 1})
	for i, s := range sums {
		m.VFMADD231PS(operand.Mem{Base: rows[i], Index: index, Scale: 1}, one, s)
	}
	m.ADDQ(operand.U8(4*m.lanes), index)
	m.JMP(operand.LabelRef("loop"))
	m.Label("rest")
	m.TESTQ(n, n)
	m.JZ(operand.LabelRef("next"))
	one = m.part(operand.Mem{Base: a, Index: index, Scale: 1}, rest)
	for i, s := range sums {
		m.VFMADD231PS(m.part(operand.Mem{Base: rows[i], Index: index, Scale: 1}, rest), one, s)
	}
	m.Label("next")
	m.ADDQ(m.address(m.Param("frameA")), a)
	for _, row := range rows {
		m.ADDQ(m.address(m.Param("frameB")), row)
	}
	m.DECQ(frames)
	m.JNZ(operand.LabelRef("frame"))

	c := m.base("c")
	for first := 0; first < most; first += 4 {
		some := sums[first:min(first+4, most)]
		totals := m.fourTotals(some)
		for i := range some {
			m.CMPQ(count, operand.U8(first+i))
			m.JLE(operand.LabelRef("end"))
			place, fresh := m.GP64(), m.label("fresh")
			m.MOVLQSX(operand.Mem{Base: terms, Disp: 8 * (first + i)}, place)
			m.ADDQ(c, place)
			if i > 0 {
				m.VPERMILPS(operand.U8(0x39), totals, totals) // the next one to the front
			}
			total := m.XMM()
			m.VMOVAPS(totals, total)
			m.CMPQ(m.address(m.Param("add")), operand.U8(0))
			m.JEQ(operand.LabelRef(fresh))
			m.VADDSS(operand.Mem{Base: place}, total, total)
			m.Label(fresh)
			m.VMOVSS(total, operand.Mem{Base: place})
		}
	}
	m.ADDQ(operand.U8(8*most), terms)
	m.SUBQ(operand.U8(most), count)
	m.JMP(operand.LabelRef("terms"))
	m.Label("end")
	m.end()
}
