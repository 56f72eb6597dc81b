package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The sums of a tile of a product.

// terms adds up the products of all terms.
func (g *product) terms(suffix string, masked bool) {
	aRow, aStep := g.stride("aRow"), g.stride("aStep")
	bRow := g.stride("bRow")
	a, at := g.load("a"), g.load("i")
	g.IMULQ(aRow, at)
	g.ADDQ(at, a)
	b, y := g.load("b"), g.load("y")
	g.LEAQ(operand.Mem{Base: b, Index: y, Scale: 4}, b)

	// Row r is at a + r·aRow, or in the second half of them at a7 + (r-7)·aRow.
	multiples := map[int]reg.Register{1: aRow}
	for _, n := range []int{3, 5} {
		if n < min(g.rows, 7) {
			r := g.GP64()
			g.LEAQ(operand.Mem{Base: aRow, Index: aRow, Scale: uint8(n - 1)}, r)
			multiples[n] = r
		}
	}
	var a7 reg.GPVirtual
	if g.rows > 7 {
		a7 = g.GP64()
		g.LEAQ(operand.Mem{Base: aRow, Index: multiples[3], Scale: 2}, a7)
		g.ADDQ(a, a7)
	}
	row := func(r int) operand.Mem {
		base := a
		if r >= 7 {
			base, r = a7, r-7
		}
		switch r {
		case 0:
			return operand.Mem{Base: base}
		case 1, 3, 5:
			return operand.Mem{Base: base, Index: multiples[r], Scale: 1}
		case 2, 4:
			return operand.Mem{Base: base, Index: aRow, Scale: uint8(r)}
		default:
			return operand.Mem{Base: base, Index: multiples[3], Scale: 2}
		}
	}

	k := g.load("k")
	g.lookAhead(a, aRow, aStep, k, suffix)
	done := "done" + suffix
	g.TESTQ(k, k)
	g.JZ(operand.LabelRef(done))
	next := func(loop string) {
		g.ADDQ(aStep, a)
		if g.rows > 7 {
			g.ADDQ(aStep, a7)
		}
		g.ADDQ(bRow, b)
		g.DECQ(k)
		g.JNZ(operand.LabelRef(loop))
	}
	if g.vectors <= 2 {
		copied := g.load("copy")
		g.TESTQ(copied, copied)
		g.JZ(operand.LabelRef("terms" + suffix))
		g.LEAQ(operand.Mem{Base: copied, Index: y, Scale: 4}, copied)
		g.Label("copied" + suffix)
		g.term(row, b, copied, masked)
		g.ADDQ(operand.I32(4*panelCols), copied)
		next("copied" + suffix)
		g.JMP(operand.LabelRef(done))
	}
	g.Label("terms" + suffix)
	g.term(row, b, nil, masked)
	next("terms" + suffix)
	g.Label(done)
}

// lookAhead finds out where the rows of A below begin, which the tile below is
// about to read, and how to get to all of them in k steps: with the columns of A
// side by side, that is the next elements of each; with rows behind each other
// without a gap, a line at each step. With other rows it stays in one place.
func (g *product) lookAhead(a, aRow, aStep, k reg.Register, suffix string) {
	g.ahead = nil
	if g.rows < 4 {
		return
	}
	g.ahead, g.aheadStep = g.GP64(), g.GP64()
	known := operand.LabelRef("ahead" + suffix)
	g.LEAQ(operand.Mem{Base: a, Disp: 4 * (2*g.rows - 1)}, g.ahead)
	g.MOVQ(aStep, g.aheadStep)
	g.CMPQ(aStep, operand.Imm(4))
	g.JNE(known)
	g.IMUL3Q(operand.U8(uint8(g.rows)), aRow, g.ahead)
	g.ADDQ(a, g.ahead)
	g.XORQ(g.aheadStep, g.aheadStep)
	length := g.GP64()
	g.MOVQ(k, length)
	g.SHLQ(operand.Imm(2), length)
	g.CMPQ(aRow, length)
	g.JNE(known)
	g.MOVQ(operand.I32(64), g.aheadStep)
	g.Label("ahead" + suffix)
}

// term adds the products of an element of each row of A and a row of B, which it
// may copy.
func (g *product) term(row func(r int) operand.Mem, b, copied reg.Register, masked bool) {
	if g.rows < g.vectors && copied == nil {
		// Few rows: hold the elements of A, pass over the vectors of B.
		for r := range g.rows {
			g.VBROADCASTSS(row(r), g.spare[r])
		}
		for v := range g.vectors {
			x := g.spare[g.rows+v%(len(g.spare)-g.rows)]
			g.read(operand.Mem{Base: b}, v, masked, x)
			for r := range g.rows {
				g.VFMADD231PS(x, g.spare[r], g.sum[r][v])
			}
		}
		return
	}
	for v := range g.vectors {
		g.read(operand.Mem{Base: b}, v, masked, g.spare[v])
		if copied != nil {
			g.VMOVUPS(g.spare[v], operand.Mem{Base: copied, Disp: 4 * v * g.lanes})
			if v*g.lanes%16 == 0 {
				g.PREFETCHT1(operand.Mem{Base: b, Disp: 4 * (panelCols + v*g.lanes)})
			}
		}
	}
	if g.ahead != nil {
		g.PREFETCHT0(operand.Mem{Base: g.ahead})
		g.ADDQ(g.aheadStep, g.ahead)
	}
	for r := range g.rows {
		if g.vectors == 1 && g.wide() {
			g.VFMADD231PS_BCST(row(r), g.spare[0], g.sum[r][0])
			continue
		}
		x := g.spare[g.vectors+r%(len(g.spare)-g.vectors)]
		g.VBROADCASTSS(row(r), x)
		for v := range g.vectors {
			g.VFMADD231PS(x, g.spare[v], g.sum[r][v])
		}
	}
}
