package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The inner loops of a product whose left operand is stored row by row and whose
// right operand column by column: vectors run along the sums. Function
// dotsISA_RxC computes tile.count times tile.across tiles of R rows and C
// columns.

// dots writes functions for tiles of at most most elements.
func (g *product) dots(most int) {
	for rows := 1; rows <= 4; rows++ {
		for cols := 1; cols <= 4 && rows*cols <= most; cols++ {
			g.dot(rows, cols)
		}
	}
}

func (g *product) dot(rows, cols int) {
	name := fmt.Sprintf("dots%s_%dx%d", g.isa, rows, cols)
	g.t = g.tile.function(g.Context, name, "%s computes tiles of %d rows and %d columns.", name, rows, cols)
	across := g.GP64()

	g.Label("row")
	g.MOVQ(g.field("across"), across)
	g.Label("tile")
	sum := make([][]reg.VecPhysical, rows)
	for r := range sum {
		sum[r] = g.regs[r*cols:][:cols]
		for _, s := range sum[r] {
			g.VXORPS(s, s, s)
		}
	}
	g.dotTerms(sum, g.regs[rows*cols:])

	// From here on, there are four lanes, one for each column.
	out := *g
	out.rows, out.vectors, out.lanes = rows, 1, 4
	out.sum, out.spare = nil, nil
	for r := range rows {
		out.sum = append(out.sum, []reg.VecPhysical{g.total(sum[r])})
	}
	for _, v := range g.regs[13:16] {
		out.spare = append(out.spare, v.AsX().(reg.VecPhysical))
	}
	out.cols = cols
	ones := g.GP64()
	if g.wide() {
		g.MOVQ(operand.U32(1<<cols-1), ones)
		g.KMOVW(ones.As32(), reg.K1)
		out.mask = reg.K1
	} else {
		out.mask = out.spare[2]
		g.LEAQ(g.tail, ones)
		g.VMOVUPS(operand.Mem{Base: ones, Disp: 4 * (g.lanes - cols)}, out.mask)
	}
	out.finish()

	g.ADDQ(operand.Imm(uint64(cols)), g.field("j"))
	g.ADDQ(operand.Imm(uint64(cols)), g.field("y"))
	g.DECQ(across)
	g.JNZ(operand.LabelRef("tile"))
	g.MOVQ(g.field("across"), across)
	g.IMUL3Q(operand.Imm(uint64(cols)), across, across)
	g.SUBQ(across, g.field("j"))
	g.SUBQ(across, g.field("y"))
	g.ADDQ(operand.Imm(uint64(rows)), g.field("i"))
	g.DECQ(g.field("count"))
	g.JNZ(operand.LabelRef("row"))
	g.VZEROUPPER()
	g.RET()
}

// lines makes addresses of n lines: the first begins at base, the others are
// stride apart.
func (g *product) lines(n int, base, stride reg.GPVirtual) []operand.Mem {
	list := []operand.Mem{
		{Base: base},
		{Base: base, Index: stride, Scale: 1},
		{Base: base, Index: stride, Scale: 2},
	}
	if n == 4 {
		triple := g.GP64()
		g.LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, triple)
		list = append(list, operand.Mem{Base: base, Index: triple, Scale: 1})
	}
	return list
}

// dotTerms adds up the products of all terms, those of each lane apart.
func (g *product) dotTerms(sum [][]reg.VecPhysical, spare []reg.VecPhysical) {
	aRow, bRow := g.stride("aRow"), g.stride("bRow")
	a, at := g.load("a"), g.load("i")
	g.IMULQ(aRow, at)
	g.ADDQ(at, a)
	b, at := g.load("b"), g.load("y")
	g.IMULQ(bRow, at)
	g.ADDQ(at, b)
	rows, cols := g.lines(len(sum), a, aRow), g.lines(len(sum[0]), b, bRow)

	multiply := func(load func(from operand.Mem, to reg.VecPhysical)) {
		for c := range sum[0] {
			load(cols[c], spare[c])
		}
		x := spare[len(sum[0])]
		for r, row := range sum {
			load(rows[r], x)
			for c, s := range row {
				g.VFMADD231PS(x, spare[c], s)
			}
		}
	}
	k := g.load("k")
	g.SUBQ(operand.Imm(uint64(g.lanes)), k)
	g.JL(operand.LabelRef("rest"))
	g.Label("terms")
	multiply(func(from operand.Mem, to reg.VecPhysical) { g.VMOVUPS(from, to) })
	g.ADDQ(operand.Imm(uint64(4*g.lanes)), a)
	g.ADDQ(operand.Imm(uint64(4*g.lanes)), b)
	g.SUBQ(operand.Imm(uint64(g.lanes)), k)
	g.JGE(operand.LabelRef("terms"))

	g.Label("rest")
	g.ADDQ(operand.Imm(uint64(g.lanes)), k)
	g.JZ(operand.LabelRef("summed"))
	ones := g.GP64()
	if g.wide() {
		g.MOVQ(operand.I32(-1), ones)
		g.BZHIQ(k, ones, ones)
		g.KMOVW(ones.As32(), reg.K1)
		multiply(func(from operand.Mem, to reg.VecPhysical) { g.VMOVUPS_Z(from, reg.K1, to) })
	} else {
		mask := spare[len(spare)-1]
		g.LEAQ(g.tail, ones)
		g.SHLQ(operand.Imm(2), k)
		g.SUBQ(k, ones)
		g.VMOVUPS(operand.Mem{Base: ones, Disp: 4 * g.lanes}, mask)
		multiply(func(from operand.Mem, to reg.VecPhysical) { g.VMASKMOVPS(from, mask, to) })
	}
	g.Label("summed")
}

// total adds up the lanes of each of up to four vectors, which must be among the
// first 16. The sums are the lanes of the result, which is the first of them.
func (g *product) total(sums []reg.VecPhysical) reg.VecPhysical {
	half := func(v reg.VecPhysical) reg.VecPhysical { return v.AsY().(reg.VecPhysical) }
	if g.wide() {
		x := half(g.regs[31])
		for _, s := range sums {
			g.VEXTRACTF64X4(operand.Imm(1), s, x)
			g.VADDPS(x, half(s), half(s))
		}
	}
	temp := g.regs[15]
	if len(sums) > 1 {
		temp = sums[1]
	}
	// Add neighbours twice, then the halves.
	for range 2 {
		var pairs []reg.VecPhysical
		for i := 0; i < len(sums); i += 2 {
			a, b := half(sums[i]), half(sums[min(i+1, len(sums)-1)])
			g.VHADDPS(b, a, a)
			pairs = append(pairs, a)
		}
		sums = pairs
	}
	quarter := temp.AsX().(reg.VecPhysical)
	total := sums[0].AsX().(reg.VecPhysical)
	g.VEXTRACTF128(operand.Imm(1), half(sums[0]), quarter)
	g.VADDPS(quarter, total, total)
	return total
}
