package main

import "github.com/mmcloughlin/avo/operand"

func init() { vectors("mixing", mixing) }

// mixing writes the ways of long runs of pixels from and to the memory far away.
func mixing(m *machine) {
	packAhead(m)
	streamRows(m)
}

// packAhead also asks for what a later task will read: while this one computes,
// some of it is on its way.
func packAhead(m *machine) {
	m.begin("packAhead", "func(dst *float32, pitch int, src *float32, stride, k, panels, ahead int)", "is sweepLoops.packAhead.")
	dst, src := m.integer("dst"), m.integer("src")
	k, panels := m.integer("k"), m.integer("panels")
	stride, pitch, ahead := m.integer("stride"), m.integer("pitch"), m.integer("ahead")
	from, to, left := m.GP64(), m.GP64(), m.GP64()
	m.Label("row")
	m.MOVQ(src, from)
	m.MOVQ(dst, to)
	m.MOVQ(panels, left)
	m.Label("panel")
	for line := range 4 * panelCols / 64 {
		m.PREFETCHT1(operand.Mem{Base: from, Index: ahead, Scale: 1, Disp: 64 * line})
	}
	for v := range panelCols / m.lanes {
		m.VMOVUPS(m.copy(operand.Mem{Base: from, Disp: 4 * v * m.lanes}), operand.Mem{Base: to, Disp: 4 * v * m.lanes})
	}
	m.ADDQ(operand.I32(4*panelCols), from)
	m.ADDQ(pitch, to)
	m.DECQ(left)
	m.JNZ(operand.LabelRef("panel"))
	m.ADDQ(stride, src)
	m.ADDQ(operand.I32(4*panelCols), dst)
	m.DECQ(k)
	m.JNZ(operand.LabelRef("row"))
	m.end()
}

// streamRows writes past the caches, which would otherwise read first what is
// overwritten. That takes places that are multiples of a vector.
func streamRows(m *machine) {
	m.begin("streamRows", "func(dst *float32, dstStride int, src *float32, srcStride int, rows, n int)", "is sweepLoops.streamRows.")
	dst, src := m.integer("dst"), m.integer("src")
	s := m.span(m.integer("n"))
	dstStride, srcStride := m.integer("dstStride"), m.integer("srcStride")
	m.rows(func() {
		usual, next := m.label("usual"), m.label("next")
		m.TESTQ(operand.U32(4*m.lanes-1), dst)
		m.JNZ(operand.LabelRef(usual))
		index := s.whole(4, func(at []cursor) {
			for _, c := range at {
				m.VMOVNTPS(c.load(src), c.at(dst, 4))
			}
		})
		s.tail(index, func(at cursor) { at.store(at.load(src), dst) })
		m.JMP(operand.LabelRef(next))
		m.Label(usual)
		s.each(1, func(at cursor) { at.store(at.load(src), dst) })
		m.Label(next)
		m.ADDQ(srcStride, src)
		m.ADDQ(dstStride, dst)
	}, func() { m.SFENCE() })
}
