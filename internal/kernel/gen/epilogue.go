package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What a tile of a product does with its sums: factors, the epilogue, and the way
// to memory.

// each calls f for all sums; mem is the place of their rows in what is laid out
// like C and begins at the given field.
func (g *product) each(slice string, offset, cRow reg.Register, f func(mem operand.Mem, v int, sum reg.VecPhysical)) {
	p := g.load(slice)
	g.ADDQ(offset, p)
	for r, row := range g.sum {
		for v, sum := range row {
			f(operand.Mem{Base: p}, v, sum)
		}
		if r < g.rows-1 {
			g.ADDQ(cRow, p)
		}
	}
}

// all calls f for all sums.
func (g *product) all(f func(v int, sum reg.VecPhysical)) {
	for _, row := range g.sum {
		for v, sum := range row {
			f(v, sum)
		}
	}
}

// finish applies factors and epilogue to the sums and stores them.
func (g *product) finish() {
	x, y := g.spare[0], g.spare[1]
	bits := g.GP32()
	cRow := g.stride("cRow")
	offset := g.load("i") // of the first element of the tile in C
	g.IMULQ(cRow, offset)
	j := g.load("j")
	g.LEAQ(operand.Mem{Base: offset, Index: j, Scale: 4}, offset)

	g.MOVL(g.field("alpha"), bits)
	g.CMPL(bits, operand.U32(math.Float32bits(1)))
	g.JE(operand.LabelRef("whole"))
	g.VBROADCASTSS(g.field("alpha"), x)
	g.all(func(v int, sum reg.VecPhysical) { g.VMULPS(x, sum, sum) })
	g.Label("whole")

	g.MOVL(g.field("beta"), bits)
	g.ADDL(bits, bits) // the sign does not count
	g.JZ(operand.LabelRef("unscaled"))
	g.VBROADCASTSS(g.field("beta"), x)
	g.each("c", offset, cRow, func(mem operand.Mem, v int, sum reg.VecPhysical) {
		g.read(mem, v, true, y)
		g.VFMADD231PS(x, y, sum)
	})
	g.Label("unscaled")

	g.CMPB(g.field("last"), operand.Imm(0))
	g.JE(operand.LabelRef("store"))

	p := g.load("ep.Row")
	g.TESTQ(p, p)
	g.JZ(operand.LabelRef("col"))
	i := g.load("i")
	g.LEAQ(operand.Mem{Base: p, Index: i, Scale: 4}, p)
	for r, row := range g.sum {
		g.VBROADCASTSS(operand.Mem{Base: p, Disp: 4 * r}, x)
		for _, sum := range row {
			g.VADDPS(x, sum, sum)
		}
	}

	g.Label("col")
	p = g.load("ep.Col")
	g.TESTQ(p, p)
	g.JZ(operand.LabelRef("add"))
	g.LEAQ(operand.Mem{Base: p, Index: j, Scale: 4}, p)
	for v := range g.vectors {
		g.read(operand.Mem{Base: p}, v, true, x)
		for r := range g.rows {
			g.VADDPS(x, g.sum[r][v], g.sum[r][v])
		}
	}

	g.Label("add")
	g.CMPQ(g.field("ep.Add"), operand.Imm(0))
	g.JE(operand.LabelRef("clamp"))
	g.each("ep.Add", offset, cRow, func(mem operand.Mem, v int, sum reg.VecPhysical) {
		g.read(mem, v, true, x)
		g.VADDPS(x, sum, sum)
	})

	g.Label("clamp")
	g.CMPB(g.field("ep.Clamp"), operand.Imm(0))
	g.JE(operand.LabelRef("gate"))
	g.VBROADCASTSS(g.field("ep.Lo"), x)
	g.VBROADCASTSS(g.field("ep.Hi"), y)
	// Of a NaN and a number, the first operand is the result.
	g.all(func(v int, sum reg.VecPhysical) { g.VMAXPS(sum, x, sum) })
	g.all(func(v int, sum reg.VecPhysical) { g.VMINPS(sum, y, sum) })
	g.VXORPS(x, x, x)
	g.all(func(v int, sum reg.VecPhysical) { g.VADDPS(x, sum, sum) }) // -0 + 0 is 0

	g.Label("gate")
	g.CMPQ(g.field("ep.Gate"), operand.Imm(0))
	g.JE(operand.LabelRef("store"))
	g.VXORPS(x, x, x)
	g.each("ep.Gate", offset, cRow, func(mem operand.Mem, v int, sum reg.VecPhysical) {
		const notEqual = 4 // or not a number
		g.read(mem, v, true, y)
		if g.wide() {
			g.VCMPPS(operand.Imm(notEqual), x, y, reg.K2)
			g.VMOVUPS_Z(sum, reg.K2, sum)
		} else {
			g.VCMPPS(operand.Imm(notEqual), x, y, y)
			g.VANDPS(y, sum, sum)
		}
	})

	g.Label("store")
	masked := func(mem operand.Mem, v int, sum reg.VecPhysical) { g.write(sum, mem, v) }
	full := func(mem operand.Mem, v int, sum reg.VecPhysical) {
		mem.Disp += v * g.lanes * 4
		g.VMOVUPS(sum, mem)
	}
	switch {
	case g.cols == g.vectors*g.lanes:
		g.each("c", offset, cRow, full)
	case g.cols > 0 || g.wide():
		g.each("c", offset, cRow, masked)
	default: // with AVX2, masked stores are slow
		cols := g.load("cols")
		g.CMPQ(cols, operand.Imm(uint64(g.vectors*g.lanes)))
		g.JNE(operand.LabelRef("masked"))
		g.each("c", offset, cRow, full)
		g.JMP(operand.LabelRef("stored"))
		g.Label("masked")
		g.each("c", offset, cRow, masked)
		g.Label("stored")
	}
}
