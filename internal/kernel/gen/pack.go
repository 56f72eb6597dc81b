package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Packing copies the right operand of a product into panels of panelCols
// columns, row behind row.

func init() {
	register("pack", "avx2", func(c *build.Context) {
		p := &packing{Context: c, isa: "AVX2", lanes: 8, vector: func() reg.VecVirtual { return c.YMM() }}
		p.write()
	})
	register("pack", "avx512", func(c *build.Context) {
		p := &packing{Context: c, isa: "AVX512", lanes: 16, vector: func() reg.VecVirtual { return c.ZMM() }}
		p.write()
	})
}

const panelCols = 32 // as in package kernel

type packing struct {
	*build.Context
	isa    string
	lanes  int
	vector func() reg.VecVirtual
	ones   operand.Mem // panelCols ones, then as many zeros
}

func (g *packing) write() {
	g.ones = g.StaticGlobal("ones")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 2 * panelCols {
		g.AppendDatum(operand.U32(^uint32(0) * uint32(1-i/panelCols)))
	}
	g.rows()
	g.columns()
}

func (g *packing) wide() bool { return g.lanes == 16 }

func (g *packing) bytes(param string) reg.GPVirtual {
	r := g.Load(g.Param(param), g.GP64()).(reg.GPVirtual)
	g.SHLQ(operand.Imm(2), r)
	return r
}

// rows copies the panels of a matrix stored row by row.
func (g *packing) rows() {
	name := "packRows" + g.isa
	function(g.Context, name, "func(dst, src []float32, k, cols, stride, pitch int)",
		"%s packs k rows, stride apart. Panels are pitch apart; the last is filled up with zeros.", name)
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	src := g.Load(g.Param("src").Base(), g.GP64())
	k := g.Load(g.Param("k"), g.GP64())
	stride, pitch := g.bytes("stride"), g.bytes("pitch")
	panels := g.Load(g.Param("cols"), g.GP64())
	rest := g.GP64()
	g.MOVQ(panels, rest)
	g.SHRQ(operand.Imm(5), panels)
	g.ANDQ(operand.Imm(panelCols-1), rest)

	// Masks of the columns in the last panel.
	vectors := panelCols / g.lanes
	at := g.GP64()
	ones := g.GP64()
	g.LEAQ(g.ones, ones)
	g.MOVQ(rest, at)
	g.NEGQ(at)
	masks := make([]reg.Register, vectors)
	for v := range masks {
		place := operand.Mem{Base: ones, Index: at, Scale: 4, Disp: 4 * (panelCols + v*g.lanes)}
		if g.wide() {
			masks[v] = []reg.Register{reg.K1, reg.K2}[v]
			bits := g.vector()
			g.VMOVUPS(place, bits)
			g.VPMOVD2M(bits, masks[v])
		} else {
			m := g.vector()
			g.VMOVUPS(place, m)
			masks[v] = m
		}
	}

	x := make([]reg.VecVirtual, vectors)
	for v := range x {
		x[v] = g.vector()
	}
	from, to, left := g.GP64(), g.GP64(), g.GP64()
	g.TESTQ(k, k)
	g.JZ(operand.LabelRef("done"))
	g.Label("row")
	g.MOVQ(src, from)
	g.MOVQ(dst, to)
	g.MOVQ(panels, left)
	g.TESTQ(left, left)
	g.JZ(operand.LabelRef("last"))
	g.Label("panel")
	for v := range x {
		g.VMOVUPS(operand.Mem{Base: from, Disp: 4 * v * g.lanes}, x[v])
	}
	for v := range x {
		g.VMOVUPS(x[v], operand.Mem{Base: to, Disp: 4 * v * g.lanes})
	}
	g.ADDQ(operand.I32(4*panelCols), from)
	g.ADDQ(pitch, to)
	g.DECQ(left)
	g.JNZ(operand.LabelRef("panel"))
	g.Label("last")
	g.TESTQ(rest, rest)
	g.JZ(operand.LabelRef("next"))
	for v := range x {
		mem := operand.Mem{Base: from, Disp: 4 * v * g.lanes}
		if g.wide() {
			g.VMOVUPS_Z(mem, masks[v], x[v])
		} else {
			g.VMASKMOVPS(mem, masks[v], x[v])
		}
	}
	for v := range x {
		g.VMOVUPS(x[v], operand.Mem{Base: to, Disp: 4 * v * g.lanes})
	}
	g.Label("next")
	g.ADDQ(stride, src)
	g.ADDQ(operand.I32(4*panelCols), dst)
	g.DECQ(k)
	g.JNZ(operand.LabelRef("row"))
	g.Label("done")
	g.VZEROUPPER()
	g.RET()
}

// columns copies a vector's width of columns that are stored one by one, four
// elements of each at a time: 128-bit pieces of them make the lanes of four
// vectors, which are transposed within the lanes.
func (g *packing) columns() {
	name := "packColumns" + g.isa
	function(g.Context, name, "func(dst, src []float32, k, cols, stride int)",
		"%s packs cols columns, 1 to %d, stride apart, of k elements; it fills up with copies of the last.", name, g.lanes)
	dst := g.Load(g.Param("dst").Base(), g.GP64())
	src := g.Load(g.Param("src").Base(), g.GP64())
	k := g.Load(g.Param("k"), g.GP64())
	cols := g.Load(g.Param("cols"), g.GP64())
	stride := g.bytes("stride")

	// Where the columns begin, relative to the first, unless all are there.
	offsets := g.AllocLocal(8 * g.lanes)
	groups := g.lanes / 4
	stride3 := g.GP64()
	g.LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	start := make([]reg.Register, groups)
	start[0] = src
	for i := 1; i < groups; i++ {
		start[i] = g.GP64()
		g.LEAQ(operand.Mem{Base: start[i-1], Index: stride, Scale: 4}, start[i])
	}
	g.CMPQ(cols, operand.Imm(uint64(g.lanes)))
	g.JE(operand.LabelRef("all"))
	offset, step, none := g.GP64(), g.GP64(), g.GP64()
	g.XORQ(offset, offset)
	g.XORQ(none, none)
	for c := range g.lanes {
		g.MOVQ(offset, offsets.Offset(8*c))
		g.MOVQ(stride, step)
		g.DECQ(cols)
		g.CMOVQLE(none, step)
		g.ADDQ(step, offset)
	}
	g.loops("some", k, dst, src, func(c int) operand.Mem {
		at := g.GP64()
		g.MOVQ(offsets.Offset(8*c), at)
		return operand.Mem{Base: src, Index: at, Scale: 1}
	}, start[:1])
	g.JMP(operand.LabelRef("done"))
	g.Label("all")
	g.loops("all", k, dst, src, func(c int) operand.Mem {
		mem := operand.Mem{Base: start[c/4], Index: stride, Scale: uint8(c % 4)}
		switch c % 4 {
		case 0:
			mem = operand.Mem{Base: start[c/4]}
		case 3:
			mem.Index, mem.Scale = stride3, 1
		}
		return mem
	}, start)
	g.Label("done")
	g.VZEROUPPER()
	g.RET()
}

// loops packs four elements of each column at a time, then the rest. Function
// at is where column c stands; starts are advanced.
func (g *packing) loops(name string, k, dst, src reg.Register, at func(c int) operand.Mem, starts []reg.Register) {
	step := func(last bool, mask reg.Register) []reg.VecVirtual {
		x := make([]reg.VecVirtual, 4)
		for j := range x {
			x[j] = g.vector()
			for group := range g.lanes / 4 {
				g.piece(at(4*group+j), x[j], group, last, mask)
			}
		}
		return g.transpose(x)
	}
	store := func(x reg.VecVirtual, row int) {
		g.VMOVUPS(x, operand.Mem{Base: dst, Disp: 4 * panelCols * row})
	}

	g.SUBQ(operand.Imm(4), k)
	g.JL(operand.LabelRef(name + "Rest"))
	g.Label(name + "Four")
	for row, x := range step(false, nil) {
		store(x, row)
	}
	for _, s := range starts {
		g.ADDQ(operand.Imm(16), s)
	}
	g.ADDQ(operand.I32(4*4*panelCols), dst)
	g.SUBQ(operand.Imm(4), k)
	g.JGE(operand.LabelRef(name + "Four"))

	g.Label(name + "Rest")
	g.ADDQ(operand.Imm(4), k)
	g.JZ(operand.LabelRef("done"))
	var mask reg.Register
	if g.wide() {
		bits := g.GP64()
		g.MOVQ(operand.I32(-1), bits)
		g.BZHIQ(k, bits, bits)
		g.KMOVW(bits.As32(), reg.K1)
		mask = reg.K1
	} else {
		table, index := g.GP64(), g.GP64()
		g.LEAQ(g.ones, table)
		g.MOVQ(k, index)
		g.NEGQ(index)
		m := g.XMM()
		g.VMOVUPS(operand.Mem{Base: table, Index: index, Scale: 4, Disp: 4 * panelCols}, m)
		mask = m
	}
	for row, x := range step(true, mask)[:3] {
		store(x, row)
		g.DECQ(k)
		if row < 2 {
			g.JZ(operand.LabelRef("done"))
		}
	}
}

// piece puts four elements, or with last those of the mask, into lane group of x.
func (g *packing) piece(from operand.Mem, x reg.VecVirtual, group int, last bool, mask reg.Register) {
	var source operand.Op = from
	if last {
		part := g.XMM()
		if group == 0 {
			part = x.AsX().(reg.VecVirtual)
		}
		if g.wide() {
			g.VMOVUPS_Z(from, mask, part)
		} else {
			g.VMASKMOVPS(from, mask, part)
		}
		source = part
	}
	switch {
	case group == 0 && !last:
		g.VMOVUPS(from, x.AsX())
	case group == 0:
	case g.wide():
		g.VINSERTF32X4(operand.Imm(uint64(group)), source, x, x)
	default:
		g.VINSERTF128(operand.Imm(uint64(group)), source, x, x)
	}
}

// transpose transposes the 4 by 4 matrices in each lane of four vectors.
func (g *packing) transpose(x []reg.VecVirtual) []reg.VecVirtual {
	v := make([]reg.VecVirtual, 8)
	for i := range v {
		v[i] = g.vector()
	}
	g.VUNPCKLPS(x[1], x[0], v[0])
	g.VUNPCKHPS(x[1], x[0], v[1])
	g.VUNPCKLPS(x[3], x[2], v[2])
	g.VUNPCKHPS(x[3], x[2], v[3])
	g.VUNPCKLPD(v[2], v[0], v[4])
	g.VUNPCKHPD(v[2], v[0], v[5])
	g.VUNPCKLPD(v[3], v[1], v[6])
	g.VUNPCKHPD(v[3], v[1], v[7])
	return v[4:]
}
