package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
)

// spread computes gradients of inputs of kernels with a stride of 2: each place
// makes two rows and two columns of results, each with a kernel of its own.
func spread(m *machine, k int) {
	m.begin(fmt.Sprintf("spread%d", k), "func("+stencilArgs+", weights *float32, masks *uint32, whole int)",
		"is stencilSpread for kernels of %d by %d.", k, k)
	table := m.integer("masks")
	masks := m.masksAt(table, 0, k)
	store := m.masksAt(table, k, 2)
	weights := m.integer("weights")
	pairs := m.weave()
	x, y := m.integer("x"), m.integer("y")
	m.ADDQ(m.address(m.Param("col")), x)
	frames := m.integer("frames")
	m.Label("frame")
	to, from, number, left := m.GP64(), m.GP64(), m.integer("first"), m.integer("rows")
	m.MOVQ(y, to)
	m.MOVQ(m.address(m.Param("rowX")), from)
	m.IMULQ(number, from)
	m.ADDQ(x, from)
	m.Label("pair")
	var sum [4]vec // row 0 even and odd columns, row 1 even and odd columns
	for i := range sum {
		sum[i] = m.splat(weights, 4*k*k)
	}
	for kh := range k {
		skip := m.label("skip")
		m.CMPQ(number, m.address(m.Param("height")))
		m.JCC(operand.LabelRef(skip))
		if kh == k-1 {
			ahead := m.integer("aheadX")
			m.PREFETCHT1(operand.Mem{Base: from, Index: ahead, Scale: 1})
		}
		for kw := range k {
			v := m.part(operand.Mem{Base: from, Disp: 4 * kw}, masks[kw])
			for i := range sum {
				m.VFMADD231PS(m.splat(weights, (i*k+kh)*k+kw), v, sum[i])
			}
		}
		m.Label(skip)
		m.INCQ(number)
		m.ADDQ(m.address(m.Param("rowX")), from)
	}
	back := m.GP64()
	m.MOVQ(m.address(m.Param("rowX")), back)
	m.IMUL3Q(operand.I8(k-1), back, back)
	m.SUBQ(back, from)
	m.SUBQ(operand.U8(k-1), number)
	for row := range 2 {
		a, b := pairs.together(sum[2*row], sum[2*row+1])
		ahead := m.integer("aheadY")
		m.PREFETCHT1(operand.Mem{Base: to, Index: ahead, Scale: 1})
		if m.wide() {
			m.PREFETCHT1(operand.Mem{Base: to, Index: ahead, Scale: 1, Disp: 64})
		}
		m.putWhole(a, store[0], operand.Mem{Base: to})
		m.putWhole(b, store[1], operand.Mem{Base: to, Disp: 4 * m.lanes})
		m.ADDQ(m.address(m.Param("rowY")), to)
		m.DECQ(left)
		m.JZ(operand.LabelRef("done"))
	}
	m.JMP(operand.LabelRef("pair"))
	m.Label("done")
	m.ADDQ(m.address(m.Param("frameX")), x)
	m.ADDQ(m.address(m.Param("frameY")), y)
	m.DECQ(frames)
	m.JNZ(operand.LabelRef("frame"))
	m.end()
}
