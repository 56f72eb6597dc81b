package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("pool", pools) }

// pools are the inner loops of pooling: each result comes from what several taps
// read at fixed distances.
func pools(m *machine) {
	poolMax(m)
	poolPlace(m)
	poolPick(m)
	poolSum(m)
	poolScaled(m)
	squareMax(m)
	squareMaxGrad(m)
	spreadMeans(m)
}

const poolArgs = "y *float32, rowY int, x *float32, rowX int, offsets *int32, taps, rows, n int"

// pool writes a loop over blocks of rows and over vectors of their columns, in
// which row computes a vector of results for each row.
func (m *machine) pool(row func(p *pooled), then ...func()) {
	y, x := m.integer("y"), m.integer("x")
	s := m.span(m.integer("n"))
	left := m.integer("rows")
	for _, rows := range []int{4, 1} {
		loop, done := m.label("rows"), m.label("done")
		m.Label(loop)
		m.CMPQ(left, operand.U8(rows))
		m.JLT(operand.LabelRef(done))
		s.each(1, func(at cursor) { row(&pooled{machine: m, rows: rows, at: at, x: x, y: y}) })
		for range rows {
			m.ADDQ(m.address(m.Param("rowX")), x)
			m.ADDQ(m.address(m.Param("rowY")), y)
		}
		m.SUBQ(operand.U8(rows), left)
		m.JMP(operand.LabelRef(loop))
		m.Label(done)
	}
	for _, f := range then {
		f()
	}
	m.end()
}

// pooled is a vector of results for each of some rows.
type pooled struct {
	*machine
	rows int
	at   cursor
	x, y reg.GPVirtual
}

// vectors makes a vector for each row.
func (p *pooled) vectors(start operand.Op) []vec {
	list := make([]vec, p.rows)
	for r := range list {
		if start == nil {
			list[r] = p.zero()
		} else {
			list[r] = p.copy(start)
		}
	}
	return list
}

// taps writes a loop over taps, with the pair of a tap and its distance.
func (p *pooled) taps(tap func(pair, off reg.GPVirtual)) {
	pair, left, off := p.integer("offsets"), p.integer("taps"), p.GP64()
	loop := p.label("tap")
	p.Label(loop)
	p.MOVLQSX(operand.Mem{Base: pair, Disp: 4}, off)
	tap(pair, off)
	p.ADDQ(operand.U8(8), pair)
	p.DECQ(left)
	p.JNZ(operand.LabelRef(loop))
}

// read calls f with what a tap reads for each row.
func (p *pooled) read(off reg.GPVirtual, f func(row int, v vec)) {
	p.ADDQ(p.x, off)
	for r := range p.rows {
		if r > 0 {
			p.ADDQ(p.address(p.Param("rowX")), off)
		}
		f(r, p.at.load(off))
	}
}

// store writes the results.
func (p *pooled) store(list []vec) {
	to := p.GP64()
	p.MOVQ(p.y, to)
	for r, v := range list {
		if r > 0 {
			p.ADDQ(p.address(p.Param("rowY")), to)
		}
		p.at.store(v, to)
	}
}

// raise raises a to v where v is greater or NaN, unless a is NaN.
func (m *machine) raise(a, v vec) {
	if k := m.where(ordered, a, a); m.wide() {
		m.VMAXPS(v, a, k, a) // v if either is NaN
	} else {
		m.replace(k, m.max(a, v), a)
	}
}

// above is where v is greater than a or NaN, and a is not NaN.
func (m *machine) above(v, a vec) operand.Op {
	return m.both(m.where(notLessEqual, v, a), m.where(ordered, a, a))
}

// replace sets the lanes of a mask.
func (m *machine) replace(mask operand.Op, v, to vec) {
	if m.wide() {
		m.VMOVAPS(v, mask, to)
	} else {
		m.VBLENDVPS(mask, v, to, to)
	}
}

// Predicates of comparisons.
const (
	equal        = 0x00 // and none is NaN
	ordered      = 0x07 // none is NaN
	notLessEqual = 0x16 // greater, or one is NaN
)

func poolMax(m *machine) {
	m.begin("poolMax", "func("+poolArgs+")", "is poolLoops.max.")
	lowest := m.hold(m.pattern(0xFF800000)) // -Inf
	m.pool(func(p *pooled) {
		y := p.vectors(lowest)
		p.taps(func(_, off reg.GPVirtual) {
			p.read(off, func(r int, v vec) { m.raise(y[r], v) })
		})
		p.store(y)
	})
}

func poolPlace(m *machine) {
	m.begin("poolPlace", "func("+poolArgs+") int", "is poolLoops.place.")
	lowest := m.hold(m.pattern(0xFF800000))
	none := m.GP64()
	m.XORQ(none, none)
	m.pool(func(p *pooled) {
		y, place := p.vectors(lowest), p.vectors(nil)
		p.taps(func(pair, off reg.GPVirtual) {
			number := m.splat(pair, 0)
			p.read(off, func(r int, v vec) {
				above := m.above(v, y[r])
				m.replace(above, number, place[r])
				m.replace(above, v, y[r])
			})
		})
		for _, v := range place {
			lanes := m.GP64()
			if zero := m.zero(); m.wide() {
				k := m.K()
				m.VPCMPEQD(zero, v, k)
				if p.at.rest != nil {
					m.KANDW(k, p.at.rest, k)
				}
				m.KMOVW(k, lanes.As32())
			} else {
				m.VPCMPEQD(zero, v, zero)
				if p.at.rest != nil {
					m.VANDPS(zero, p.at.rest, zero)
				}
				m.VMOVMSKPS(zero, lanes.As32())
			}
			m.ORQ(lanes, none)
		}
		p.store(place)
	}, func() { m.Store(none, m.ReturnIndex(0)) })
}

const gatherArgs = "y *float32, rowY int, x, about *float32, rowX int, offsets *int32, taps, rows, n int"

func poolPick(m *machine) {
	m.begin("poolPick", "func("+gatherArgs+")", "is poolLoops.pick.")
	m.gatherPool(func(number, about, v, sum vec) {
		m.VADDPS(m.keep(m.where(equal, number, about), v), sum, sum)
	})
}

func poolScaled(m *machine) {
	m.begin("poolScaled", "func("+gatherArgs+")", "is poolLoops.scaled.")
	m.gatherPool(func(_, about, v, sum vec) { m.VFMADD231PS(about, v, sum) })
}

// gatherPool adds up what add makes of two arrays.
func (m *machine) gatherPool(add func(number, about, v, sum vec)) {
	m.pool(func(p *pooled) {
		sum := p.vectors(nil)
		p.taps(func(pair, off reg.GPVirtual) {
			number := m.splat(pair, 0)
			other := m.GP64()
			p.read(off, func(r int, v vec) {
				m.MOVQ(off, other)
				m.SUBQ(m.address(m.Param("x")), other)
				m.ADDQ(m.address(m.Param("about")), other)
				add(number, p.at.load(other), v, sum[r])
			})
		})
		p.store(sum)
	})
}

func poolSum(m *machine) {
	m.begin("poolSum", "func(y, scale *float32, rowY int, x *float32, rowX int, offsets *int32, taps, rows, n int)", "is poolLoops.sum.")
	m.pool(func(p *pooled) {
		sum := p.vectors(nil)
		p.taps(func(_, off reg.GPVirtual) {
			p.read(off, func(r int, v vec) { m.VADDPS(v, sum[r], sum[r]) })
		})
		scale := m.GP64()
		m.MOVQ(p.y, scale)
		m.SUBQ(m.address(m.Param("y")), scale)
		m.ADDQ(m.address(m.Param("scale")), scale)
		for r := range sum {
			if r > 0 {
				m.ADDQ(m.address(m.Param("rowY")), scale)
			}
			m.VMULPS(p.at.load(scale), sum[r], sum[r])
		}
		p.store(sum)
	})
}

func spreadMeans(m *machine) {
	m.begin("spreadMeans", "func(x, y *float32, rows, n int, by float32)", "is poolLoops.spread.")
	y, x := m.integer("y"), m.integer("x")
	n := m.integer("n")
	s := m.span(n)
	by := m.scalar("by")
	m.rows(func() {
		v := m.div(m.splat(y, 0), by)
		s.each(4, func(at cursor) { at.store(v, x) })
		m.ADDQ(operand.U8(4), y)
		m.LEAQ(operand.Mem{Base: x, Index: n, Scale: 4}, x)
	})
}
