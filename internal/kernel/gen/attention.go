package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("attention", attention) }

// attention writes the loops over the rows of a block of scores.
func attention(m *machine) {
	m.begin("shares", "func(x, tops, sums []float32, n int)", "computes exp(x-top) in rows of n elements, and its sum; top is the largest of x and of the one before.")
	r := m.scores("tops")
	x, sums, exp := m.base("x"), m.base("sums"), m.exp()
	r.each([]reg.GPVirtual{x}, func() {
		a := axis{m: m, row: &r.row}
		before := m.vec()
		m.VBROADCASTSS(r.of, before)
		top, sum := m.max(a.top(x), before), m.zero()
		r.row.each(1, func(at cursor) {
			e := exp(m.sub(at.load(x), top))
			at.store(e, x)
			m.VADDPS(at.only(e), sum, sum)
		})
		m.VMOVSS(top.AsX(), r.of)
		m.VMOVSS(a.fold(sum, m.VADDPS).AsX(), operand.Mem{Base: sums, Index: r.done, Scale: 4})
	})
	m.end()

	m.begin("again", "func(x, logs []float32, n int)", "computes exp(x-log) in rows of n elements.")
	r = m.scores("logs")
	x, exp = m.base("x"), m.exp()
	r.each([]reg.GPVirtual{x}, func() {
		log := m.vec()
		m.VBROADCASTSS(r.of, log)
		r.row.each(1, func(at cursor) { at.store(exp(m.sub(at.load(x), log)), x) })
	})
	m.end()

	m.begin("slopes", "func(p, g, means []float32, n int)", "computes p·(g-mean) in rows of n elements, in place.")
	r = m.scores("means")
	p, g := m.base("p"), m.base("g")
	r.each([]reg.GPVirtual{p, g}, func() {
		mean := m.vec()
		m.VBROADCASTSS(r.of, mean)
		r.row.each(4, func(at cursor) { at.store(m.mul(m.sub(at.load(g), mean), at.load(p)), p) })
	})
	m.end()
}

// scores are rows of n elements, with a number for each.
type scores struct {
	m             *machine
	n, rows, done reg.GPVirtual
	row           span
	of            operand.Mem // the number of the row
}

// scores prepares a loop over as many rows as there are numbers, one at least.
func (m *machine) scores(numbers string) scores {
	r := scores{m: m, n: m.integer("n"), rows: m.length(numbers), done: m.GP64()}
	r.row = m.span(r.n)
	r.of = operand.Mem{Base: m.base(numbers), Index: r.done, Scale: 4}
	return r
}

// each writes a loop that calls body for each row; arrays begin at the row.
func (r scores) each(arrays []reg.GPVirtual, body func()) {
	m, loop := r.m, r.m.label("row")
	m.XORQ(r.done, r.done)
	m.Label(loop)
	body()
	for _, p := range arrays {
		m.LEAQ(operand.Mem{Base: p, Index: r.n, Scale: 4}, p)
	}
	m.INCQ(r.done)
	m.CMPQ(r.done, r.rows)
	m.JNE(operand.LabelRef(loop))
}
