package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("norm", norm) }

// norm writes the loops over the planes of a channel.
func norm(m *machine) {
	m.begin("planesSum", "func(x []float32, n, stride, size int) float64", "computes the sum of n planes.")
	p := m.channel("x")
	total := m.totals(8)
	p.each(4, func(at cursor) { total.add(at.doubles(p.array["x"])) })
	total.result(0)
	m.end()

	m.begin("planesMoments", "func(x []float32, n, stride, size int, around float32) (sum, squares float64)", "computes the sums of x-around and of its square in n planes.")
	around := m.scalar("around")
	p = m.channel("x")
	p.pairs(2, func(at cursor) (a, b vec) {
		d := at.only(m.sub(at.load(p.array["x"]), around))
		at.prefetch(p.array["x"], p.ahead)
		return d, d
	})
	m.end()

	for _, gate := range []string{"", "Limited"} {
		for _, add := range []string{"", "Added"} {
			m.normalize("planesNormalize"+gate+add, gate != "", add != "")
		}
	}
	for _, gate := range []string{"", "GatedX", "GatedY"} {
		m.gradientSums("planesGradSums"+gate, gate)
		m.inputGradient("planesGrad"+gate, gate, false)
		m.inputGradient("planesTrainGrad"+gate, gate, true)
	}
}

// channel is the planes of one channel: parts of arrays, stride elements apart.
type channel struct {
	m         *machine
	names     []string
	array     map[string]reg.GPVirtual
	n, stride reg.GPVirtual
	size      span
	ahead     reg.GPVirtual // bytes to the same plane of the next channel
}

func (m *machine) channel(names ...string) *channel {
	p := &channel{m: m, names: names, array: map[string]reg.GPVirtual{}}
	for _, name := range names {
		p.array[name] = m.base(name)
	}
	p.n, p.stride = m.integer("n"), m.integer("stride")
	p.size = m.span(m.integer("size"))
	p.ahead = m.GP64()
	m.LEAQ(operand.Mem{Base: p.size.n, Index: p.size.n, Scale: 1}, p.ahead)
	m.ADDQ(p.ahead, p.ahead)
	return p
}

// each writes a loop over the vectors of all planes; there is at least one.
func (p *channel) each(unroll int, body func(at cursor)) {
	m := p.m
	plane := m.label("plane")
	m.Label(plane)
	p.size.each(unroll, body)
	p.next(plane)
}

// next goes on with the next plane, if there is one.
func (p *channel) next(plane string) {
	m := p.m
	for _, name := range p.names {
		m.LEAQ(operand.Mem{Base: p.array[name], Index: p.stride, Scale: 4}, p.array[name])
	}
	m.DECQ(p.n)
	m.JNZ(operand.LabelRef(plane))
}

// pairs writes a loop over the vectors of all planes that computes the sums of a
// and of a·b. Those of a few vectors are float32, added up in float64: there are
// too few for their rounding to matter.
func (p *channel) pairs(parts int, of func(at cursor) (a, b vec)) {
	m := p.m
	sum, product := m.totals(parts), m.totals(parts)
	var fewSum, fewProduct vec
	total := func(s, q vec) {
		sum.add(m.halves(s))
		product.add(m.halves(q))
	}
	plane := m.label("plane")
	m.Label(plane)
	fewSum, fewProduct = m.zero(), m.zero()
	p.size.groups(4, func(at []cursor) {
		if len(at) == 1 {
			a, b := of(at[0])
			m.VADDPS(a, fewSum, fewSum)
			m.VFMADD231PS(a, b, fewProduct)
			return
		}
		s, q := m.vec(), m.vec()
		for i, c := range at {
			a, b := of(c)
			if i == 0 {
				m.VMOVAPS(a, s)
				m.VMULPS(a, b, q)
				continue
			}
			m.VADDPS(a, s, s)
			m.VFMADD231PS(a, b, q)
		}
		total(s, q)
	})
	total(fewSum, fewProduct)
	p.next(plane)
	sum.result(0)
	product.result(1)
}

// normalize writes y = (x - mean)·factor + shift, plus add, limited to low to
// high.
func (m *machine) normalize(name string, limited, added bool) {
	m.begin(name, "func(y, x, add []float32, n, stride, size int, mean, factor, shift, low, high float32, stream bool)",
		"computes (x-mean)·factor + shift + add, between low and high, in n planes.")
	mean, factor, shift := m.scalar("mean"), m.scalar("factor"), m.scalar("shift")
	var low, high vec
	if limited {
		low, high = m.scalar("low"), m.scalar("high")
	}
	names := []string{"y", "x"}
	if added {
		names = append(names, "add")
	}
	p := m.channel(names...)
	p.streaming("y", func(store storing) {
		p.each(4, func(at cursor) {
			y := m.normalized(at.load(p.array["x"]), mean, factor, shift)
			if added {
				y = m.add(y, at.load(p.array["add"]))
			}
			if limited {
				y = m.limited(y, low, high)
			}
			store(at, y, p.array["y"])
		})
	})
	m.end()
}

// storing writes a vector.
type storing func(at cursor, v vec, array reg.Register)

// streaming writes loops that store past the caches, and such that do not: those
// run unless the argument stream is true and planes begin at whole vectors.
func (p *channel) streaming(array string, loop func(store storing)) {
	m := p.m
	usual, done, places := m.label("usual"), m.label("done"), m.GP64()
	m.CMPB(m.address(m.Param("stream")), operand.U8(0))
	m.JEQ(operand.LabelRef(usual))
	m.MOVQ(p.stride, places)
	m.SHLQ(operand.U8(2), places)
	m.ORQ(p.array[array], places)
	m.TESTQ(operand.U32(4*m.lanes-1), places)
	m.JNZ(operand.LabelRef(usual))
	loop(func(at cursor, v vec, array reg.Register) {
		if at.rest != nil {
			at.store(v, array)
			return
		}
		m.VMOVNTPS(v, at.at(array, 4))
	})
	m.SFENCE()
	m.JMP(operand.LabelRef(done))
	m.Label(usual)
	loop(cursor.store)
	m.Label(done)
}

// normalized is (x - mean)·factor + shift, with one rounding less.
func (m *machine) normalized(x, mean, factor, shift vec) vec {
	y := m.sub(x, mean)
	m.VFMADD213PS(shift, factor, y)
	return y
}

// limited is min(max(y, low), high); NaN stays.
func (m *machine) limited(y, low, high vec) vec { return m.min(high, m.max(low, y)) }

// gradients is what the loops of the backward pass have in common.
type gradients struct {
	m                   *machine
	gate                string
	p                   *channel
	mean, factor, shift vec
	low, high           vec
}

func (m *machine) gradients(gate string, names ...string) *gradients {
	g := &gradients{m: m, gate: gate, mean: m.scalar("mean")}
	switch gate {
	case "GatedX":
		g.factor, g.shift = m.scalar("factor"), m.scalar("shift")
	case "GatedY":
		names = append(names, "y")
	}
	if gate != "" {
		g.low, g.high = m.scalar("low"), m.scalar("high")
	}
	g.p = m.channel(names...)
	return g
}

// load reads the gradient of the result, 0 where a limit holds it.
func (g *gradients) load(at cursor) vec {
	m := g.m
	dy := at.load(g.p.array["dy"])
	var y vec
	switch g.gate {
	case "GatedX":
		y = m.normalized(at.load(g.p.array["x"]), g.mean, g.factor, g.shift)
	case "GatedY":
		y = at.load(g.p.array["y"])
	default:
		return dy
	}
	return m.keep(m.both(m.where(greater, y, g.low), m.where(less, y, g.high)), dy)
}

func (m *machine) gradientSums(name, gate string) {
	m.begin(name, "func(x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high float32) (sum, product float64)",
		"computes the sums of dy and of dy·(x-mean) in n planes.")
	g := m.gradients(gate, "x", "dy")
	g.p.pairs(m.lanes/4, func(at cursor) (dy, d vec) { // AVX2 has not enough registers for more parts
		dy = g.load(at) // 0 beyond the end
		d = m.sub(at.load(g.p.array["x"]), g.mean)
		at.prefetch(g.p.array["x"], g.p.ahead)
		at.prefetch(g.p.array["dy"], g.p.ahead)
		return dy, d
	})
	m.end()
}

// inputGradient writes dx = factor·(dy - offset - (x-mean)·slope), or factor·dy,
// and passes dy on to what was added.
func (m *machine) inputGradient(name, gate string, train bool) {
	m.begin(name, "func(dx, dadd, x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high, offset, slope float32, stream bool)",
		"computes the gradients of the input of batch normalisation, and of what was added if dadd is not nil, in n planes.")
	names := []string{"dx", "dy"}
	if train || gate == "GatedX" {
		names = append(names, "x")
	}
	if gate == "GatedY" {
		names = append(names, "dadd")
	}
	g := m.gradients(gate, names...)
	if g.factor == nil {
		g.factor = m.scalar("factor")
	}
	var offset, slope vec
	if train {
		offset, slope = m.scalar("offset"), m.scalar("slope")
	}
	loop := func(pass bool, store storing) {
		g.p.each(2, func(at cursor) {
			dy := g.load(at)
			dx := dy
			if train {
				d := m.sub(at.load(g.p.array["x"]), g.mean)
				dx = m.sub(dy, offset)
				m.VFNMADD231PS(slope, d, dx)
			}
			if pass {
				at.store(dy, g.p.array["dadd"])
			}
			store(at, m.mul(dx, g.factor), g.p.array["dx"])
		})
	}
	if gate == "GatedY" {
		alone, done := m.label("alone"), m.label("done")
		m.TESTQ(g.p.array["dadd"], g.p.array["dadd"])
		m.JZ(operand.LabelRef(alone))
		loop(true, cursor.store)
		m.JMP(operand.LabelRef(done))
		m.Label(alone)
		loop(false, cursor.store)
		m.Label(done)
	} else {
		g.p.streaming("dx", func(store storing) { loop(false, store) })
	}
	m.end()
}
