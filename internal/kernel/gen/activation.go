package main

import (
	"math"

	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("activation", activation) }

func activation(m *machine) {
	m.point("relu", "out = max(x, 0)", "x", 4, func() formula {
		zero := m.zero()
		return func(in []vec) vec { return m.keep(m.where(notAtMost, in[0], zero), in[0]) }
	})
	m.point("reluGrad", "out = g where x is not 0", "xg", 4, func() formula {
		return func(in []vec) vec { return m.keepWhereBits(in[0], in[1]) }
	})
	m.point("leakyRelu", "out = x where x >= 0, otherwise p·x", "x", 4, func() formula {
		p := m.scalar("p")
		return func(in []vec) vec { return m.signed(in[0], m.mul(in[0], p), in[0]) }
	})
	m.point("leakyReluGrad", "out = g where x > 0, otherwise p·g", "xg", 4, func() formula {
		p, zero := m.scalar("p"), m.zero()
		return func(in []vec) vec {
			return m.choose(m.where(greater, in[0], zero), in[1], m.mul(in[1], p))
		}
	})
	m.point("clip", "out = min(max(x, p), q)", "x", 4, func() formula {
		p, q := m.scalar("p"), m.scalar("q")
		return func(in []vec) vec { return m.min(q, m.max(p, in[0])) }
	})
	m.point("clipGrad", "out = g where p < x < q", "xg", 4, func() formula {
		p, q := m.scalar("p"), m.scalar("q")
		return func(in []vec) vec {
			return m.keep(m.both(m.where(notAtMost, in[0], p), m.where(notAtLeast, in[0], q)), in[1])
		}
	})
	m.point("scale", "out = p·x", "x", 4, func() formula {
		p := m.scalar("p")
		return func(in []vec) vec { return m.mul(in[0], p) }
	})
	m.point("difference", "out = p·(x - g)", "xg", 4, func() formula {
		p := m.scalar("p")
		return func(in []vec) vec { return m.mul(p, m.sub(in[0], in[1])) }
	})
	m.point("exp", "out = e to the x", "x", 1, func() formula {
		exp := m.exp()
		return func(in []vec) vec { return exp(in[0]) }
	})
	m.point("sigmoid", "out = 1/(1+exp(-x))", "x", 1, func() formula {
		exp, one, sign := m.exp(), m.hold(m.constant(1)), m.hold(m.pattern(signBit))
		return func(in []vec) vec {
			e := exp(m.xor(in[0], sign))
			return m.div(one, m.add(e, one))
		}
	})
	m.point("sigmoidGrad", "out = g·x·(1-x)", "xg", 2, func() formula {
		one := m.copy(m.constant(1))
		return func(in []vec) vec { return m.mul(m.mul(in[1], in[0]), m.sub(one, in[0])) }
	})
	m.point("tanh", "the hyperbolic tangent", "x", 1, func() formula {
		tanh := m.saturating(tanhRatio)
		return func(in []vec) vec { return tanh(in[0]) }
	})
	m.point("tanhGrad", "out = g·(1-x²)", "xg", 2, func() formula {
		one := m.copy(m.constant(1))
		return func(in []vec) vec { return m.mul(in[1], m.sub(one, m.mul(in[0], in[0]))) }
	})
	m.point("erf", "the error function", "x", 1, func() formula {
		erf := m.saturating(erfRatio)
		return func(in []vec) vec { return erf(in[0]) }
	})
	m.point("erfGrad", "out = g·2/√π·exp(-x²)", "xg", 1, func() formula {
		exp, sign, factor := m.exp(), m.hold(m.pattern(signBit)), m.hold(m.constant(2/math.Sqrt(math.Pi)))
		return func(in []vec) vec {
			e := exp(m.xor(m.mul(in[0], in[0]), sign))
			return m.mul(in[1], m.mul(e, factor))
		}
	})
	m.point("gelu", "out = x/2·(1+erf(x/√2))", "x", 1, func() formula {
		erf, root, half := m.saturating(erfRatio), m.hold(m.constant(math.Sqrt2/2)), m.hold(m.constant(0.5))
		return func(in []vec) vec {
			x := m.mul(in[0], half)
			m.gather(x, erf(m.mul(in[0], root)), x)
			return x
		}
	})
	// With Φ(x) = (1+erf(x/√2))/2 the slope is Φ(x) + x·exp(-x²/2)/√(2π).
	m.point("geluGrad", "out = g times the slope of x/2·(1+erf(x/√2))", "xg", 1, func() formula {
		erf, exp := m.saturating(erfRatio), m.exp()
		root, half, minusHalf := m.hold(m.constant(math.Sqrt2/2)), m.hold(m.constant(0.5)), m.hold(m.constant(-0.5))
		density := m.hold(m.constant(1 / math.Sqrt(2*math.Pi)))
		return func(in []vec) vec {
			e := exp(m.mul(m.mul(in[0], in[0]), minusHalf))
			slope := m.copy(half)
			m.gather(slope, erf(m.mul(in[0], root)), half)
			m.gather(slope, m.mul(in[0], density), e)
			return m.mul(in[1], slope)
		}
	})
	// u = √(2/π)·(x + 0.044715·x³) = x·(a + b·x²)
	const a = 0.79788456080286535588
	const b = 0.044715 * a
	m.point("geluTanh", "out = x/2·(1+tanh(√(2/π)·(x + 0.044715·x³)))", "x", 1, func() formula {
		tanh, c, half := m.saturating(tanhRatio), m.holdAll(a, b), m.hold(m.constant(0.5))
		return func(in []vec) vec {
			u := m.mul(in[0], m.horner(m.mul(in[0], in[0]), c))
			x := m.mul(in[0], half)
			m.gather(x, tanh(u), x)
			return x
		}
	})
	// With s = (1+tanh(u))/2 = 1/(1+exp(-2u)) the slope is s + x·2u'·s·(1-s), and
	// with e = exp(-2|u|) and r = 1/(1+e), s·(1-s) is e·r². From |x| = 16 on it
	// has its limits, 0 and 1.
	m.point("geluTanhGrad", "out = g times the slope of x/2·(1+tanh(√(2/π)·(x + 0.044715·x³)))", "xg", 1, func() formula {
		exp, c, du := m.exp(), m.holdAll(-2*a, -2*b), m.holdAll(2*a, 6*b)
		low, high, one := m.constant(-16), m.constant(16), m.hold(m.constant(1))
		sign := m.hold(m.pattern(signBit))
		return func(in []vec) vec {
			x := m.min(high, m.max(low, in[0]))
			squared := m.mul(x, x)
			u := m.mul(x, m.horner(squared, c)) // -2u
			e := exp(m.or(u, sign))
			r := m.div(one, m.add(e, one))
			er := m.mul(e, r)
			slope := m.signed(x, er, r)
			m.gather(slope, m.mul(x, m.horner(squared, du)), m.mul(er, r))
			return m.mul(in[1], slope)
		}
	})
}

// formula computes a vector of results from vectors of the inputs.
type formula func(in []vec) vec

// point writes an element-wise function of some of the inputs x and g. prepare
// loads what does not change from vector to vector.
func (m *machine) point(name, doc, inputs string, unroll int, prepare func() formula) {
	m.begin(name, "func(out, x, g []float32, p, q float32)", "computes %s.", doc)
	out := m.base("out")
	all := m.span(m.length("out"))
	var in []reg.Register
	for _, name := range inputs {
		in = append(in, m.base(string(name)))
	}
	f := prepare()
	all.each(unroll, func(at cursor) {
		var v []vec
		for _, array := range in {
			v = append(v, at.load(array))
		}
		at.store(f(v), out)
	})
	m.end()
}
