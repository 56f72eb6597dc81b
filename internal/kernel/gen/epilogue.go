package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What a tile of a product does with its sums: factors, the epilogue, and the way
// to memory.

// finish applies factors and epilogue to the sums and stores them.
func (g *product) finish() {
	e := ending{product: g, x: g.spare[0], y: g.spare[1], bits: g.GP32(), cRow: g.stride("cRow")}
	e.offset = g.load("i")
	g.IMULQ(e.cRow, e.offset)
	e.j = g.load("j")
	g.LEAQ(operand.Mem{Base: e.offset, Index: e.j, Scale: 4}, e.offset)
	e.scale()
	g.CMPB(g.field("last"), operand.Imm(0))
	g.JE(operand.LabelRef("store"))
	e.add()
	e.limit()
	e.gate()
	g.Label("store")
	e.store()
}

// ending is the end of a function, with what its parts have in common.
type ending struct {
	*product
	x, y            reg.VecPhysical // spare
	bits            reg.Register    // spare
	cRow, offset, j reg.Register    // offset is that of the first element of the tile in C
}

// each calls f for all sums; mem is the place of their rows in what is laid out
// like C and begins at the given field.
func (e *ending) each(slice string, f func(mem operand.Mem, v int, sum reg.VecPhysical)) {
	p := e.load(slice)
	e.ADDQ(e.offset, p)
	for r, row := range e.sum {
		for v, sum := range row {
			f(operand.Mem{Base: p}, v, sum)
		}
		if r < e.rows-1 {
			e.ADDQ(e.cRow, p)
		}
	}
}

// all calls f for all sums.
func (e *ending) all(f func(sum reg.VecPhysical)) {
	for _, row := range e.sum {
		for _, sum := range row {
			f(sum)
		}
	}
}

// scale multiplies by alpha and adds beta times C.
func (e *ending) scale() {
	e.MOVL(e.field("alpha"), e.bits)
	e.CMPL(e.bits, operand.U32(math.Float32bits(1)))
	e.JE(operand.LabelRef("whole"))
	e.VBROADCASTSS(e.field("alpha"), e.x)
	e.all(func(sum reg.VecPhysical) { e.VMULPS(e.x, sum, sum) })
	e.Label("whole")

	e.MOVL(e.field("beta"), e.bits)
	e.ADDL(e.bits, e.bits) // the sign does not count
	e.JZ(operand.LabelRef("unscaled"))
	e.VBROADCASTSS(e.field("beta"), e.x)
	e.each("c", func(mem operand.Mem, v int, sum reg.VecPhysical) {
		e.read(mem, v, true, e.y)
		e.VFMADD231PS(e.x, e.y, sum)
	})
	e.Label("unscaled")
}

// add adds Row, Col and Add.
func (e *ending) add() {
	p := e.load("ep.Row")
	e.TESTQ(p, p)
	e.JZ(operand.LabelRef("col"))
	i := e.load("i")
	e.LEAQ(operand.Mem{Base: p, Index: i, Scale: 4}, p)
	for r, row := range e.sum {
		e.VBROADCASTSS(operand.Mem{Base: p, Disp: 4 * r}, e.x)
		for _, sum := range row {
			e.VADDPS(e.x, sum, sum)
		}
	}

	e.Label("col")
	p = e.load("ep.Col")
	e.TESTQ(p, p)
	e.JZ(operand.LabelRef("add"))
	e.LEAQ(operand.Mem{Base: p, Index: e.j, Scale: 4}, p)
	for v := range e.vectors {
		e.read(operand.Mem{Base: p}, v, true, e.x)
		for r := range e.rows {
			e.VADDPS(e.x, e.sum[r][v], e.sum[r][v])
		}
	}

	e.Label("add")
	e.CMPQ(e.field("ep.Add"), operand.Imm(0))
	e.JE(operand.LabelRef("clamp"))
	e.each("ep.Add", func(mem operand.Mem, v int, sum reg.VecPhysical) {
		e.read(mem, v, true, e.x)
		e.VADDPS(e.x, sum, sum)
	})
}

// limit keeps the sums between Lo and Hi.
func (e *ending) limit() {
	e.Label("clamp")
	e.CMPB(e.field("ep.Clamp"), operand.Imm(0))
	e.JE(operand.LabelRef("gate"))
	e.VBROADCASTSS(e.field("ep.Lo"), e.x)
	e.VBROADCASTSS(e.field("ep.Hi"), e.y)
	// Of a NaN and a number, the first operand is the result.
	e.all(func(sum reg.VecPhysical) { e.VMAXPS(sum, e.x, sum) })
	e.all(func(sum reg.VecPhysical) { e.VMINPS(sum, e.y, sum) })
	e.VXORPS(e.x, e.x, e.x)
	e.all(func(sum reg.VecPhysical) { e.VADDPS(e.x, sum, sum) }) // -0 + 0 is 0
}

// gate makes the sums 0 where Gate is.
func (e *ending) gate() {
	e.Label("gate")
	e.CMPQ(e.field("ep.Gate"), operand.Imm(0))
	e.JE(operand.LabelRef("store"))
	e.VXORPS(e.x, e.x, e.x)
	e.each("ep.Gate", func(mem operand.Mem, v int, sum reg.VecPhysical) {
		const notEqual = 4 // or not a number
		e.read(mem, v, true, e.y)
		if e.wide() {
			e.VCMPPS(operand.Imm(notEqual), e.x, e.y, reg.K2)
			e.VMOVUPS_Z(sum, reg.K2, sum)
		} else {
			e.VCMPPS(operand.Imm(notEqual), e.x, e.y, e.y)
			e.VANDPS(e.y, sum, sum)
		}
	})
}

// store writes the sums to C.
func (e *ending) store() {
	masked := func(mem operand.Mem, v int, sum reg.VecPhysical) { e.write(sum, mem, v) }
	full := func(mem operand.Mem, v int, sum reg.VecPhysical) {
		mem.Disp += v * e.lanes * 4
		e.VMOVUPS(sum, mem)
	}
	switch {
	case e.cols == e.vectors*e.lanes:
		e.each("c", full)
	case e.cols > 0 || e.wide():
		e.each("c", masked)
	default: // with AVX2, masked stores are slow
		e.byWidth(e.vectors, "masked", "stored",
			func() { e.each("c", full) },
			func() { e.each("c", masked) })
	}
}
