package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("sweep", sweeps) }

// sweeps are products of so many rows and two vectors of columns, one function
// for each number of rows. They find their operands through a list of offsets,
// which is what makes a convolution a product without a copy of its operands.
func sweeps(m *machine) {
	rows := 6
	if m.wide() {
		rows = 14
	}
	for r := 1; r <= rows; r++ {
		sweep(m, r)
	}
}

func sweep(m *machine, rows int) {
	name := fmt.Sprintf("sweep%dx%d", rows, 2*m.lanes)
	m.begin(name, "func(a *float32, rowA int, offsets *int32, k int, b, c *float32, rowC, add int)",
		"is sweepTile for %d rows and %d columns.", rows, 2*m.lanes)
	a, k, b := m.integer("a"), m.integer("k"), m.integer("b")
	offsets := m.integer("offsets")
	sum := make([][2]vec, rows)
	for i := range sum {
		sum[i] = [2]vec{m.vec(), m.vec()}
	}
	vector := func(base reg.Register, j int) operand.Mem {
		return operand.Mem{Base: base, Disp: j * m.lanes * 4}
	}

	m.CMPQ(m.address(m.Param("add")), operand.U8(0))
	m.JNE(operand.LabelRef("more"))
	for i := range sum {
		for _, s := range sum[i] {
			m.VXORPS(s, s, s)
		}
	}
	m.JMP(operand.LabelRef("start"))
	m.Label("more")
	c, rowC := m.integer("c"), m.integer("rowC")
	for i := range sum {
		m.VMOVUPS(vector(c, 0), sum[i][0])
		m.VMOVUPS(vector(c, 1), sum[i][1])
		if i+1 < rows {
			m.ADDQ(rowC, c)
		}
	}

	m.Label("start")
	m.TESTQ(k, k)
	m.JZ(operand.LabelRef("store"))
	row := m.multiples("rowA", rows)
	m.Label("loop")
	pa, pb := m.GP64(), m.GP64()
	m.MOVLQSX(operand.Mem{Base: offsets}, pa)
	m.MOVLQSX(operand.Mem{Base: offsets, Disp: 4}, pb)
	m.ADDQ(a, pa)
	right := [2]vec{}
	for j := range right {
		right[j] = m.vec()
		m.VMOVUPS(operand.Mem{Base: b, Index: pb, Scale: 1, Disp: j * m.lanes * 4}, right[j])
	}
	for i := range sum {
		left := m.vec()
		m.VBROADCASTSS(row(pa, i), left)
		m.VFMADD231PS(left, right[0], sum[i][0])
		m.VFMADD231PS(left, right[1], sum[i][1])
	}
	m.ADDQ(operand.U8(8), offsets)
	m.DECQ(k)
	m.JNZ(operand.LabelRef("loop"))

	m.Label("store")
	c, rowC = m.integer("c"), m.integer("rowC")
	for i := range sum {
		m.VMOVUPS(sum[i][0], vector(c, 0))
		m.VMOVUPS(sum[i][1], vector(c, 1))
		if i+1 < rows {
			m.ADDQ(rowC, c)
		}
	}
	m.end()
}

// multiples returns a function that gives the place of row i of several that
// are so many bytes apart as an argument says.
func (m *machine) multiples(stride string, rows int) func(base reg.Register, i int) operand.Mem {
	odd := map[int]reg.GPVirtual{}
	for i := 1; i < rows; i += 2 {
		if i == 1 {
			odd[1] = m.integer(stride)
			continue
		}
		odd[i] = m.GP64()
		m.LEAQ(operand.Mem{Base: odd[i-2], Index: odd[1], Scale: 2}, odd[i])
	}
	return func(base reg.Register, i int) operand.Mem {
		if i == 0 {
			return operand.Mem{Base: base}
		}
		scale := 1
		for i%2 == 0 {
			i, scale = i/2, scale*2
		}
		return operand.Mem{Base: base, Index: odd[i], Scale: uint8(scale)}
	}
}
