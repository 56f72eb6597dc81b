package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("softmax", softmax) }

// softmax writes functions along rows and along columns. The formulas are the
// same.
func softmax(m *machine) {
	for _, layout := range []struct {
		suffix, arguments, doc string
		axes                   func(n reg.GPVirtual, arrays []reg.GPVirtual, body func(a axis))
	}{
		{"Rows", "n int", "in rows of n elements", m.rowAxes},
		{"Columns", "n, inner, width int", "along width columns of n elements, which lie inner elements apart", m.columnAxes},
	} {
		m.begin("softmax"+layout.suffix, "func(out, x []float32, "+layout.arguments+", p float32)", "computes p·exp(x)/Σexp(x) %s.", layout.doc)
		arrays := []reg.GPVirtual{m.base("out"), m.base("x")}
		exp, factor := m.exp(), m.scalar("p")
		layout.axes(m.integer("n"), arrays, func(a axis) {
			top, sum := a.top(arrays[1]), m.zero()
			a.pass(1, arrays, func(at cursor, p []reg.Register) {
				e := exp(m.sub(at.load(p[1]), top))
				at.store(e, p[0])
				m.VADDPS(a.only(at, e), sum, sum)
			})
			f := m.div(factor, a.fold(sum, m.VADDPS))
			a.pass(4, arrays[:1], func(at cursor, p []reg.Register) { at.store(m.mul(at.load(p[0]), f), p[0]) })
		})
		m.end()

		m.begin("logSoftmax"+layout.suffix, "func(out, x []float32, "+layout.arguments+", p float32)", "computes x - log Σexp(x) %s.", layout.doc)
		arrays = []reg.GPVirtual{m.base("out"), m.base("x")}
		exp = m.exp()
		layout.axes(m.integer("n"), arrays, func(a axis) {
			top := a.top(arrays[1])
			log := m.log(a.sumExp(arrays[1], top, exp))
			a.pass(4, arrays, func(at cursor, p []reg.Register) {
				at.store(m.sub(m.sub(at.load(p[1]), top), log), p[0])
			})
		})
		m.end()

		m.begin("softmaxGrad"+layout.suffix, "func(out, y, g []float32, "+layout.arguments+")", "computes y·(g - Σg·y) %s.", layout.doc)
		arrays = []reg.GPVirtual{m.base("out"), m.base("y"), m.base("g")}
		layout.axes(m.integer("n"), arrays, func(a axis) {
			sum := m.zero()
			a.pass(1, arrays[1:], func(at cursor, p []reg.Register) { m.gather(sum, at.load(p[0]), at.load(p[1])) })
			sum = a.fold(sum, m.VADDPS)
			a.pass(2, arrays, func(at cursor, p []reg.Register) {
				at.store(m.mul(m.sub(at.load(p[2]), sum), at.load(p[1])), p[0])
			})
		})
		m.end()

		m.begin("logSoftmaxGrad"+layout.suffix, "func(out, y, g []float32, "+layout.arguments+")", "computes g - exp(y)·Σg %s.", layout.doc)
		arrays = []reg.GPVirtual{m.base("out"), m.base("y"), m.base("g")}
		exp = m.exp()
		layout.axes(m.integer("n"), arrays, func(a axis) {
			sum := m.zero()
			a.pass(1, arrays[2:], func(at cursor, p []reg.Register) { m.VADDPS(at.load(p[0]), sum, sum) })
			sum = a.fold(sum, m.VADDPS)
			a.pass(1, arrays, func(at cursor, p []reg.Register) {
				dx := at.load(p[2])
				m.VFNMADD231PS(sum, exp(at.load(p[1])), dx)
				at.store(dx, p[0])
			})
		})
		m.end()
	}

	m.begin("sumExpRows", "func(tops, sums, x []float32, n int)", "computes the largest x and Σexp(x-top) in rows of n elements; there is one row at least.")
	tops, sums, x, rows := m.base("tops"), m.base("sums"), m.base("x"), m.length("tops")
	exp := m.exp()
	n := m.integer("n")
	row := m.span(n)
	loop, done := m.label("row"), m.GP64()
	m.XORQ(done, done)
	m.Label(loop)
	a := axis{m: m, row: &row}
	top := a.top(x)
	m.VMOVSS(top.AsX(), operand.Mem{Base: tops, Index: done, Scale: 4})
	m.VMOVSS(a.sumExp(x, top, exp).AsX(), operand.Mem{Base: sums, Index: done, Scale: 4})
	m.LEAQ(operand.Mem{Base: x, Index: n, Scale: 4}, x)
	m.INCQ(done)
	m.CMPQ(done, rows)
	m.JNE(operand.LabelRef(loop))
	m.end()
}

// axis is what a softmax is taken along: a row, whose elements fill vectors, or a
// column in each lane of a vector.
type axis struct {
	m *machine

	row *span // nil for columns

	column    cursor
	n, stride reg.GPVirtual
}

// rowAxes writes a loop over rows of n elements, until the end of out.
func (m *machine) rowAxes(n reg.GPVirtual, arrays []reg.GPVirtual, body func(a axis)) {
	end := m.length("out")
	m.LEAQ(operand.Mem{Base: arrays[0], Index: end, Scale: 4}, end)
	row := m.span(n)
	loop, done := m.label("row"), m.label("done")
	m.Label(loop)
	m.CMPQ(arrays[0], end)
	m.JEQ(operand.LabelRef(done))
	body(axis{m: m, row: &row})
	for _, p := range arrays {
		m.LEAQ(operand.Mem{Base: p, Index: n, Scale: 4}, p)
	}
	m.JMP(operand.LabelRef(loop))
	m.Label(done)
}

// columnAxes writes a loop over vectors of columns.
func (m *machine) columnAxes(n reg.GPVirtual, _ []reg.GPVirtual, body func(a axis)) {
	stride := m.integer("inner")
	m.span(m.integer("width")).each(1, func(at cursor) {
		body(axis{m: m, column: at, n: n, stride: stride})
	})
}

// pass writes a loop over the elements along the axis.
func (a axis) pass(unroll int, arrays []reg.GPVirtual, body func(at cursor, p []reg.Register)) {
	m := a.m
	var p []reg.Register
	if a.row != nil {
		for _, array := range arrays {
			p = append(p, array)
		}
		a.row.each(unroll, func(at cursor) { body(at, p) })
		return
	}
	for _, array := range arrays {
		moving := m.GP64()
		m.MOVQ(array, moving)
		p = append(p, moving)
	}
	left, loop := m.GP64(), m.label("element")
	m.MOVQ(a.n, left)
	m.Label(loop)
	body(a.column, p)
	for _, moving := range p {
		m.LEAQ(operand.Mem{Base: moving, Index: a.stride, Scale: 4}, moving)
	}
	m.DECQ(left)
	m.JNZ(operand.LabelRef(loop))
}

// only is v with 0 in lanes that are none of the axis.
func (a axis) only(at cursor, v vec) vec {
	if a.row != nil {
		return at.only(v)
	}
	return v
}

// fold is the sum or the like of the lanes of a row, in all lanes; columns have
// nothing to fold.
func (a axis) fold(v vec, f func(...operand.Op)) vec {
	m := a.m
	if a.row == nil {
		return v
	}
	v = m.copy(v)
	high := m.vec()
	if m.wide() {
		m.VEXTRACTF32X8(operand.U8(1), v, high.AsY())
		f(high.AsY(), v.AsY(), v.AsY())
		m.VEXTRACTF32X4(operand.U8(1), v.AsY(), high.AsX())
	} else {
		m.VEXTRACTF128(operand.U8(1), v, high.AsX())
	}
	f(high.AsX(), v.AsX(), v.AsX())
	m.VPERMILPS(operand.U8(0x4E), v.AsX(), high.AsX()) // halves change places
	f(high.AsX(), v.AsX(), v.AsX())
	m.VPERMILPS(operand.U8(0xB1), v.AsX(), high.AsX()) // neighbours do
	f(high.AsX(), v.AsX(), v.AsX())
	m.VBROADCASTSS(v.AsX(), v)
	return v
}

// top is the largest element along the axis. NaN may be missed.
func (a axis) top(x reg.GPVirtual) vec {
	lowest := a.m.copy(a.m.constant(math.Inf(-1)))
	top := a.m.copy(lowest)
	a.pass(4, []reg.GPVirtual{x}, func(at cursor, p []reg.Register) {
		a.m.VMAXPS(at.loadOr(p[0], lowest), top, top)
	})
	return a.fold(top, a.m.VMAXPS)
}

// sumExp is Σexp(x-top).
func (a axis) sumExp(x reg.GPVirtual, top vec, exp func(vec) vec) vec {
	sum := a.m.zero()
	a.pass(1, []reg.GPVirtual{x}, func(at cursor, p []reg.Register) {
		a.m.VADDPS(a.only(at, exp(a.m.sub(at.load(p[0]), top))), sum, sum)
	})
	return a.fold(sum, a.m.VADDPS)
}
