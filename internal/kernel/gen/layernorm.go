package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("layernorm", layerNorm) }

// layerNorm writes the loops over rows of layer normalisation.
func layerNorm(m *machine) {
	m.begin("layerNormRows", "func(y, x, scale, shift []float32, n int, eps float32)",
		"computes y = scale·(x-mean)/√(variance+eps) + shift in rows of n elements; shift may be nil.")
	r := m.layerRows("y", "x")
	scale, shift := m.base("scale"), m.base("shift")
	r.each(func(mean, inv vec) {
		bare, done := m.label("bare"), m.label("done")
		m.TESTQ(shift, shift)
		m.JZ(operand.LabelRef(bare))
		r.row.each(2, func(at cursor) {
			y := m.mul(m.mul(m.sub(at.load(r.p["x"]), mean), inv), at.load(scale))
			at.store(m.add(y, at.load(shift)), r.p["y"])
		})
		m.JMP(operand.LabelRef(done))
		m.Label(bare)
		r.row.each(2, func(at cursor) {
			at.store(m.mul(m.mul(m.sub(at.load(r.p["x"]), mean), inv), at.load(scale)), r.p["y"])
		})
		m.Label(done)
	})
	m.end()

	m.begin("layerNormGradRows", "func(dx, x, dy, scale, dscale, dshift []float32, n int, eps float32)",
		"computes the gradient of x in rows of n elements, and adds those of scale and shift to dscale and dshift.")
	r = m.layerRows("dx", "x", "dy")
	scale, dscale, dshift := m.base("scale"), m.base("dscale"), m.base("dshift")
	r.each(func(mean, inv vec) {
		// With g = scale·dy and x̂ = (x-mean)·inv, dx = inv·(g - mean(g) - x̂·mean(g·x̂)).
		sum, product := m.zero(), m.zero()
		r.row.each(1, func(at cursor) {
			dy := at.load(r.p["dy"]) // 0 beyond the end
			normal := m.mul(m.sub(at.load(r.p["x"]), mean), inv)
			g := m.mul(dy, at.load(scale))
			m.VADDPS(g, sum, sum)
			m.gather(product, g, normal)
			at.store(m.add(dy, at.load(dshift)), dshift)
			total := at.load(dscale)
			m.gather(total, dy, normal)
			at.store(total, dscale)
		})
		a := axis{m: m, row: &r.row}
		offset := m.div(a.fold(sum, m.VADDPS), r.count)
		slope := m.mul(m.div(a.fold(product, m.VADDPS), r.count), inv)
		r.row.each(2, func(at cursor) {
			dx := m.sub(m.mul(at.load(r.p["dy"]), at.load(scale)), offset)
			m.VFNMADD231PS(slope, m.sub(at.load(r.p["x"]), mean), dx)
			at.store(m.mul(dx, inv), r.p["dx"])
		})
	})
	m.end()
}

// layerRows are rows of n elements of some arrays; the first one's length says
// how many.
type layerRows struct {
	m     *machine
	p     map[string]reg.GPVirtual
	names []string
	end   reg.GPVirtual // of the first
	n     reg.GPVirtual
	row   span
	count vec // n in all lanes
	eps   vec
}

func (m *machine) layerRows(names ...string) *layerRows {
	r := &layerRows{m: m, p: map[string]reg.GPVirtual{}, names: names}
	for _, name := range names {
		r.p[name] = m.base(name)
	}
	r.end = m.length(names[0])
	m.LEAQ(operand.Mem{Base: r.p[names[0]], Index: r.end, Scale: 4}, r.end)
	r.n = m.integer("n")
	r.row = m.span(r.n)
	r.count, r.eps = m.vec(), m.scalar("eps")
	m.VXORPS(r.count.AsX(), r.count.AsX(), r.count.AsX())
	m.VCVTSI2SSQ(r.n, r.count.AsX(), r.count.AsX())
	m.VBROADCASTSS(r.count.AsX(), r.count)
	return r
}

// each writes a loop over the rows, with the mean of x and 1/√(variance+eps).
func (r *layerRows) each(body func(mean, inv vec)) {
	m := r.m
	a := axis{m: m, row: &r.row}
	loop, done := m.label("row"), m.label("done")
	m.Label(loop)
	m.CMPQ(r.p[r.names[0]], r.end)
	m.JEQ(operand.LabelRef(done))
	sum := m.zero()
	r.row.each(4, func(at cursor) { m.VADDPS(at.load(r.p["x"]), sum, sum) })
	mean := m.div(a.fold(sum, m.VADDPS), r.count)
	distance, squares := m.zero(), m.zero()
	r.row.each(4, func(at cursor) {
		d := at.only(m.sub(at.load(r.p["x"]), mean))
		m.VADDPS(d, distance, distance)
		m.gather(squares, d, d)
	})
	// What rounding has taken from the mean is in the distances from it.
	off := m.div(a.fold(distance, m.VADDPS), r.count)
	variance := m.div(a.fold(squares, m.VADDPS), r.count)
	m.VFNMADD231PS(off, off, variance)
	inv := m.div(m.constant(1), m.sqrt(m.add(m.max(m.constant(0), variance), r.eps)))
	body(m.add(mean, off), inv)
	for _, name := range r.names {
		m.LEAQ(operand.Mem{Base: r.p[name], Index: r.n, Scale: 4}, r.p[name])
	}
	m.JMP(operand.LabelRef(loop))
	m.Label(done)
}
