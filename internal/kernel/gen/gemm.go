package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The inner loops of the matrix product. Function mulISA_RxV computes
// tile.count tiles of R rows and V vectors of columns, below each other; the
// last vector is masked to tile.cols. The sums stay in registers.

func init() {
	register("gemm", "avx2", func(c *build.Context) {
		g := newProduct(c, "AVX2", 8, []reg.VecPhysical{
			reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
			reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
		})
		for _, t := range [][2]int{{1, 8}, {1, 4}, {2, 4}} {
			g.function(t[0], t[1])
		}
		for rows := 1; rows <= 6; rows++ {
			g.function(rows, 2)
			g.function(rows, 1)
		}
		g.dots(8)
	})
	register("gemm", "avx512", func(c *build.Context) {
		g := newProduct(c, "AVX512", 16, []reg.VecPhysical{
			reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
			reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
			reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
			reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
		})
		for _, t := range [][2]int{{1, 16}, {1, 8}, {1, 4}, {2, 8}, {2, 4}, {3, 8}, {3, 4}, {4, 4}} {
			g.function(t[0], t[1])
		}
		for rows := 1; rows <= 14; rows++ {
			g.function(rows, 2)
			g.function(rows, 1)
		}
		g.dots(16)
	})
}

// product writes tile functions.
type product struct {
	*build.Context
	isa   string
	lanes int
	regs  []reg.VecPhysical
	tile  record
	tail  operand.Mem // AVX2: lanes ones, then lanes zeros

	// Of the function being written.
	rows, vectors    int
	sum              [][]reg.VecPhysical // of a row and a vector
	spare            []reg.VecPhysical   // the rest
	mask             reg.Register        // of the last vector
	cols             int                 // number of columns, if known
	t                reg.Register        // the tile
	ahead, aheadStep reg.Register        // what to fetch of A, and how to go on
}

func newProduct(c *build.Context, isa string, lanes int, regs []reg.VecPhysical) *product {
	g := &product{Context: c, isa: isa, lanes: lanes, regs: regs, tile: readRecord("tile", "../tile.go", "../epilogue.go")}
	if !g.wide() {
		g.tail = c.StaticGlobal("tail")
		c.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 2 * lanes {
			c.AppendDatum(operand.U32(^uint32(0) * uint32(1-i/lanes)))
		}
	}
	return g
}

// wide tells AVX-512, with its mask registers, from AVX2.
func (g *product) wide() bool { return g.isa == "AVX512" }

// field is a field of the tile.
func (g *product) field(name string) operand.Mem {
	at, ok := g.tile.at[name]
	if !ok {
		panic("tile has no " + name)
	}
	return operand.Mem{Base: g.t, Disp: at}
}

// load puts a field into a new register.
func (g *product) load(name string) reg.GPVirtual {
	r := g.GP64()
	g.MOVQ(g.field(name), r)
	return r
}

// stride is a field that counts elements, in bytes.
func (g *product) stride(name string) reg.GPVirtual {
	r := g.load(name)
	g.SHLQ(operand.Imm(2), r)
	return r
}

func (g *product) function(rows, vectors int) {
	name := fmt.Sprintf("mul%s_%dx%d", g.isa, rows, vectors)
	g.t = g.tile.function(g.Context, name, "%s computes tiles of %d rows and %d columns.", name, rows, vectors*g.lanes)
	g.rows, g.vectors = rows, vectors

	g.sum = nil
	for r := range rows {
		g.sum = append(g.sum, g.regs[r*vectors:][:vectors])
	}
	g.spare = g.regs[rows*vectors:]
	g.setMask()

	g.Label("tile")
	g.prefetch()
	for _, row := range g.sum {
		for _, s := range row {
			g.VXORPS(s, s, s)
		}
	}
	if g.wide() {
		g.terms("", true)
	} else {
		g.byWidth(vectors, "part", "summed",
			func() { g.terms("full", false) },
			func() { g.terms("masked", true) })
	}
	g.finish()
	g.ADDQ(operand.Imm(uint64(rows)), g.field("i"))
	g.DECQ(g.field("count"))
	g.JNZ(operand.LabelRef("tile"))
	g.VZEROUPPER()
	g.RET()
}

// byWidth does full where a tile has all columns of so many vectors, else masked,
// which begins at the label part. Both go on at the label done.
func (g *product) byWidth(vectors int, part, done string, full, masked func()) {
	cols := g.load("cols")
	g.CMPQ(cols, operand.Imm(uint64(vectors*g.lanes)))
	g.JNE(operand.LabelRef(part))
	full()
	g.JMP(operand.LabelRef(done))
	g.Label(part)
	masked()
	g.Label(done)
}

// setMask makes the mask for the columns of the last vector.
func (g *product) setMask() {
	cols := g.load("cols")
	if g.wide() {
		g.SUBQ(operand.Imm(uint64((g.vectors-1)*g.lanes)), cols)
		ones := g.GP64()
		g.MOVQ(operand.I32(-1), ones)
		g.BZHIQ(cols, ones, ones)
		g.KMOVW(ones.As32(), reg.K1)
		g.mask = reg.K1
		return
	}
	at := g.GP64()
	g.LEAQ(g.tail, at)
	g.SHLQ(operand.Imm(2), cols)
	g.SUBQ(cols, at)
	mask := g.spare[len(g.spare)-1]
	g.spare = g.spare[:len(g.spare)-1]
	g.VMOVUPS(operand.Mem{Base: at, Disp: 4 * g.vectors * g.lanes}, mask)
	g.mask = mask
}

// read loads vector v of a row that begins at mem.
func (g *product) read(mem operand.Mem, v int, masked bool, to reg.VecPhysical) {
	mem.Disp += v * g.lanes * 4
	switch {
	case !masked || v < g.vectors-1:
		g.VMOVUPS(mem, to)
	case g.wide():
		g.VMOVUPS_Z(mem, g.mask, to)
	default:
		g.VMASKMOVPS(mem, g.mask, to)
	}
}

// write stores vector v of a row that begins at mem.
func (g *product) write(from reg.VecPhysical, mem operand.Mem, v int) {
	mem.Disp += v * g.lanes * 4
	switch {
	case v < g.vectors-1:
		g.VMOVUPS(from, mem)
	case g.wide():
		g.VMOVUPS(from, g.mask, mem)
	default:
		g.VMASKMOVPS(from, g.mask, mem)
	}
}

// prefetch fetches the lines of C that finish is going to change, if there are
// enough terms for that to pay off.
func (g *product) prefetch() {
	g.CMPQ(g.field("k"), operand.Imm(64))
	g.JL(operand.LabelRef("start"))
	cRow := g.stride("cRow")
	c, i, j := g.load("c"), g.load("i"), g.load("j")
	g.IMULQ(cRow, i)
	g.ADDQ(i, c)
	g.LEAQ(operand.Mem{Base: c, Index: j, Scale: 4}, c)
	for r := range g.rows {
		for v := 0; v < g.vectors*g.lanes; v += 16 {
			g.PREFETCHT0(operand.Mem{Base: c, Disp: 4 * v})
		}
		if r < g.rows-1 {
			g.ADDQ(cRow, c)
		}
	}
	g.Label("start")
}
