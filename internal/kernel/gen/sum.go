package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("sum", sum) }

func sum(m *machine) {
	m.total("sum", "the sum of x", func(total *totals, at cursor, x reg.Register) {
		total.add(at.doubles(x))
	})
	m.total("sumSizes", "the sum of |x|", func(total *totals, at cursor, x reg.Register) {
		total.add(m.halves(m.and(at.load(x), m.pattern(signBit-1))))
	})
	m.total("sumSquares", "the sum of x²", func(total *totals, at cursor, x reg.Register) {
		d := at.doubles(x)
		total.addProducts(d, d)
	})

	m.begin("sumDistances", "func(x, y []float32) float64", "computes the sum of (x-y)².")
	x, y := m.base("x"), m.base("y")
	total := m.totals(8)
	m.span(m.length("x")).each(2, func(at cursor) {
		a, b := at.doubles(x), at.doubles(y)
		for i := range a {
			m.VSUBPD(b[i], a[i], a[i])
		}
		total.addProducts(a, a)
	})
	total.result(0)
	m.end()

	m.begin("sumSquaresKept", "func(x []float32, keep []bool) float64", "computes the sum of x² where kept; the length is a multiple of %d.", m.lanes)
	x, keep := m.base("x"), m.base("keep")
	total = m.totals(2)
	m.span(m.length("x")).whole(1, func(at []cursor) {
		d := m.halves(m.keep(m.flags(at[0], keep), at[0].load(x)))
		total.addProducts(d, d)
	})
	total.result(0)
	m.end()

	m.begin("sumRows", "func(out, x []float32, n, stride int, div float64)", "computes the sum of each row of n elements, divided by div. Rows lie stride elements apart.")
	out, first := m.base("out"), m.base("x")
	end := m.length("out")
	m.LEAQ(operand.Mem{Base: out, Index: end, Scale: 4}, end)
	rowSpan, apart := m.span(m.integer("n")), m.integer("stride")
	div := m.XMM()
	m.VMOVSD(m.address(m.Param("div")), div)
	next, last := m.label("row"), m.label("done")
	m.Label(next)
	m.CMPQ(out, end)
	m.JEQ(operand.LabelRef(last))
	total = m.totals(4)
	rowSpan.each(2, func(at cursor) { total.add(at.doubles(first)) })
	v := total.fold()
	m.VDIVSD(div, v, v)
	m.VCVTSD2SS(v, v, v)
	m.VMOVSS(v, operand.Mem{Base: out})
	m.ADDQ(operand.U8(4), out)
	m.LEAQ(operand.Mem{Base: first, Index: apart, Scale: 4}, first)
	m.JMP(operand.LabelRef(next))
	m.Label(last)
	m.end()

	m.begin("sumColumns", "func(sums []float64, x []float32, rows, stride int)",
		"adds up rows, which lie stride elements apart, into sums, which has room for a multiple of %d. There is at least one row.", m.lanes)
	sums, first := m.base("sums"), m.base("x")
	columns := m.span(m.length("sums"))
	rows, stride := m.integer("rows"), m.integer("stride")
	columns.groups(4, func(at []cursor) {
		var acc [][2]vec
		for _, c := range at {
			acc = append(acc, c.readDoubles(sums))
		}
		row, left, loop := m.GP64(), m.GP64(), m.label("row")
		m.MOVQ(first, row)
		m.MOVQ(rows, left)
		m.Label(loop)
		for i, c := range at {
			d := c.doubles(row)
			m.VADDPD(d[0], acc[i][0], acc[i][0])
			m.VADDPD(d[1], acc[i][1], acc[i][1])
		}
		m.LEAQ(operand.Mem{Base: row, Index: stride, Scale: 4}, row)
		m.DECQ(left)
		m.JNZ(operand.LabelRef(loop))
		for i, c := range at {
			c.writeDoubles(acc[i], sums)
		}
	})
	m.end()
}

// total writes a function that sums up something of each element.
func (m *machine) total(name, doc string, add func(total *totals, at cursor, x reg.Register)) {
	m.begin(name, "func(x []float32) float64", "computes %s.", doc)
	x := m.base("x")
	total := m.totals(8)
	m.span(m.length("x")).each(4, func(at cursor) { add(total, at, x) })
	total.result(0)
	m.end()
}

// totals is a sum of float64 in several vectors, so that additions need not wait
// for each other.
type totals struct {
	m     *machine
	parts []vec
	next  int
}

func (m *machine) totals(n int) *totals {
	t := &totals{m: m}
	for range n {
		t.parts = append(t.parts, m.zero())
	}
	return t
}

func (t *totals) part() vec {
	t.next++
	return t.parts[t.next%len(t.parts)]
}

func (t *totals) add(d [2]vec) {
	for _, v := range d {
		p := t.part()
		t.m.VADDPD(v, p, p)
	}
}

func (t *totals) addProducts(a, b [2]vec) {
	for i := range a {
		t.m.VFMADD231PD(b[i], a[i], t.part())
	}
}

// result stores the sum of all lanes as a result of the function.
func (t *totals) result(index int) { t.m.VMOVSD(t.fold(), t.m.address(t.m.ReturnIndex(index))) }

// fold is the sum of all lanes, in the first.
func (t *totals) fold() reg.Register {
	m := t.m
	for n := len(t.parts); n > 1; n /= 2 {
		for i := range n / 2 {
			m.VADDPD(t.parts[i+n/2], t.parts[i], t.parts[i])
		}
	}
	v := t.parts[0]
	if m.wide() {
		high := m.vec()
		m.VEXTRACTF64X4(operand.U8(1), v, high.AsY())
		m.VADDPD(high.AsY(), v.AsY(), v.AsY())
	}
	high := m.YMM()
	if m.wide() {
		m.VEXTRACTF64X2(operand.U8(1), v.AsY(), high.AsX())
	} else {
		m.VEXTRACTF128(operand.U8(1), v, high.AsX())
	}
	m.VADDPD(high.AsX(), v.AsX(), v.AsX())
	m.VPERMILPD(operand.U8(1), v.AsX(), high.AsX())
	m.VADDSD(high.AsX(), v.AsX(), v.AsX())
	return v.AsX()
}

// halves are the lower and the upper half of a vector, as float64.
func (m *machine) halves(v vec) [2]vec {
	low, high, upper := m.vec(), m.vec(), m.vec()
	m.VCVTPS2PD(m.half(v), low)
	if m.wide() {
		m.VEXTRACTF32X8(operand.U8(1), v, m.half(upper))
	} else {
		m.VEXTRACTF128(operand.U8(1), v, m.half(upper))
	}
	m.VCVTPS2PD(m.half(upper), high)
	return [2]vec{low, high}
}

// doubles reads a vector as float64; lanes beyond the end are 0.
func (c cursor) doubles(array reg.Register) [2]vec {
	if c.rest != nil {
		return c.m.halves(c.load(array))
	}
	var d [2]vec
	for i := range d {
		at := c.at(array, 4)
		at.Disp += i * c.m.lanes * 2
		d[i] = c.m.vec()
		c.m.VCVTPS2PD(at, d[i])
	}
	return d
}

// readDoubles reads as many float64 as a vector has float32, those beyond the end
// too.
func (c cursor) readDoubles(array reg.Register) (d [2]vec) {
	for i := range d {
		at := c.at(array, 8)
		at.Disp += i * c.m.lanes * 4
		d[i] = c.m.vec()
		c.m.VMOVUPD(at, d[i])
	}
	return d
}

func (c cursor) writeDoubles(d [2]vec, array reg.Register) {
	for i := range d {
		at := c.at(array, 8)
		at.Disp += i * c.m.lanes * 4
		c.m.VMOVUPD(d[i], at)
	}
}
