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

	m.begin("planesVariance", "func(x []float32, n, stride, size int, mean float32) float64", "computes the sum of (x-mean)² in n planes.")
	mean := m.scalar("mean")
	p = m.channel("x")
	total = m.totals(8)
	p.each(4, func(at cursor) {
		d := m.halves(at.only(m.sub(at.load(p.array["x"]), mean)))
		total.addProducts(d, d)
	})
	total.result(0)
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
}

func (m *machine) channel(names ...string) *channel {
	p := &channel{m: m, names: names, array: map[string]reg.GPVirtual{}}
	for _, name := range names {
		p.array[name] = m.base(name)
	}
	p.n, p.stride = m.integer("n"), m.integer("stride")
	p.size = m.span(m.integer("size"))
	return p
}

// each writes a loop over the vectors of all planes; there is at least one.
func (p *channel) each(unroll int, body func(at cursor)) {
	m := p.m
	plane := m.label("plane")
	m.Label(plane)
	p.size.each(unroll, body)
	for _, name := range p.names {
		m.LEAQ(operand.Mem{Base: p.array[name], Index: p.stride, Scale: 4}, p.array[name])
	}
	m.DECQ(p.n)
	m.JNZ(operand.LabelRef(plane))
}

// normalize writes y = (x - mean)·factor + shift, plus add, limited to low to
// high.
func (m *machine) normalize(name string, limited, added bool) {
	m.begin(name, "func(y, x, add []float32, n, stride, size int, mean, factor, shift, low, high float32)",
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
	p.each(4, func(at cursor) {
		y := m.normalized(at.load(p.array["x"]), mean, factor, shift)
		if added {
			y = m.add(y, at.load(p.array["add"]))
		}
		if limited {
			y = m.limited(y, low, high)
		}
		at.store(y, p.array["y"])
	})
	m.end()
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
	parts := m.lanes / 4 // AVX2 has not enough registers for more
	sum, product := m.totals(parts), m.totals(parts)
	g.p.each(2, func(at cursor) {
		dy := m.halves(g.load(at)) // 0 beyond the end
		sum.add(dy)
		product.addProducts(dy, m.halves(m.sub(at.load(g.p.array["x"]), g.mean)))
	})
	sum.result(0)
	product.result(1)
	m.end()
}

// inputGradient writes dx = factor·(dy - offset - (x-mean)·slope), or factor·dy,
// and passes dy on to what was added.
func (m *machine) inputGradient(name, gate string, train bool) {
	m.begin(name, "func(dx, dadd, x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high, offset, slope float32)",
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
	loop := func(pass bool) {
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
			at.store(m.mul(dx, g.factor), g.p.array["dx"])
		})
	}
	if gate == "GatedY" {
		alone, done := m.label("alone"), m.label("done")
		m.TESTQ(g.p.array["dadd"], g.p.array["dadd"])
		m.JZ(operand.LabelRef(alone))
		loop(true)
		m.JMP(operand.LabelRef(done))
		m.Label(alone)
		loop(false)
		m.Label(done)
	} else {
		loop(false)
	}
	m.end()
}
