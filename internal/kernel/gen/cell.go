package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("cell", cell) }

// cell writes the loops over rows of recurrent cells.
func cell(m *machine) {
	m.begin("lstm", "func(gates, xw, h, c, prev []float32)", "computes gates, state and cell of a row of an LSTM.")
	n := m.length("h")
	row := m.span(n)
	gate := m.quarters("gates", n)
	// The linear forms of the input are as far from the gates everywhere.
	away := m.base("xw")
	m.SUBQ(gate[0], away)
	h, c, prev := m.base("h"), m.base("c"), m.base("prev")
	exp, tanh := m.exp(), m.saturating(tanhRatio)
	one, sign := m.hold(m.constant(1)), m.hold(m.pattern(signBit))
	row.each(1, func(at cursor) {
		from := m.GP64()
		form := func(gate reg.Register) vec {
			m.LEAQ(operand.Mem{Base: gate, Index: away, Scale: 1}, from)
			return m.add(at.load(gate), at.load(from))
		}
		sigmoid := func(gate reg.Register) vec {
			y := m.div(one, m.add(exp(m.xor(form(gate), sign)), one))
			at.store(y, gate)
			return y
		}
		in := sigmoid(gate[0])
		candidate := tanh(form(gate[3]))
		at.store(candidate, gate[3])
		state := m.mul(in, candidate)
		m.gather(state, sigmoid(gate[2]), at.load(prev))
		at.store(state, c)
		out := sigmoid(gate[1])
		at.store(m.mul(tanh(state), out), h)
	})
	m.end()

	m.begin("lstmGrad", "func(dg, gates, c, prev, dh, dc []float32)", "computes the gradients of a row of an LSTM.")
	n = m.length("dh")
	row = m.span(n)
	gate = m.quarters("gates", n)
	away = m.base("dg") // the gradients of the gates, likewise
	m.SUBQ(gate[0], away)
	c, prev = m.base("c"), m.base("prev")
	dh, dc := m.base("dh"), m.base("dc")
	tanh = m.saturating(tanhRatio)
	one = m.hold(m.constant(1))
	row.each(1, func(at cursor) {
		to := m.GP64()
		store := func(v vec, gate reg.Register) {
			m.LEAQ(operand.Mem{Base: gate, Index: away, Scale: 1}, to)
			at.store(v, to)
		}
		slope := func(y vec) vec { return m.mul(y, m.sub(m.copy(one), y)) } // of a sigmoid
		bend := func(y vec) vec { return m.sub(m.copy(one), m.mul(y, y)) }  // of a tanh
		times := func(d vec, array reg.Register) vec { return m.mul(d, at.load(array)) }

		squashed, g, out := tanh(at.load(c)), at.load(dh), at.load(gate[1])
		store(m.mul(m.mul(g, squashed), slope(out)), gate[1])
		d := at.load(dc)
		m.gather(d, m.mul(g, out), bend(squashed))
		in, candidate := at.load(gate[0]), at.load(gate[3])
		store(m.mul(m.mul(d, candidate), slope(in)), gate[0])
		store(m.mul(m.mul(d, in), bend(candidate)), gate[3])
		forget := at.load(gate[2])
		store(m.mul(times(d, prev), slope(forget)), gate[2])
		at.store(m.mul(d, forget), dc)
	})
	m.end()
}

// quarters are the beginnings of four arrays of n elements behind each other.
func (m *machine) quarters(slice string, n reg.Register) [4]reg.Register {
	var at [4]reg.Register
	at[0] = m.base(slice)
	for i := 1; i < 4; i++ {
		at[i] = m.GP64()
		m.LEAQ(operand.Mem{Base: at[i-1], Index: n, Scale: 4}, at[i])
	}
	return at
}
